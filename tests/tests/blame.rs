//! Whose fault a failure is: what is held against a key, and what is not.

use std::cell::Cell;

use egb::{Balancer, Error, Key, StatusCode, balanced};

#[derive(Debug, thiserror::Error, StatusCode)]
enum ApiError {
    #[error("status {0}")]
    #[status(field = 0)]
    Status(u16),
    #[error("the network is down")]
    #[status(none)]
    Network,
    #[error(transparent)]
    #[status(transparent)]
    Balance(#[from] Error),
}

fn balancer(keys: usize) -> Balancer {
    Balancer::builder().keys((0..keys).map(|n| format!("test-key-{n}"))).build().unwrap()
}

/// Fails each attempt with the next of these statuses.
#[balanced(balancer = pool, retries = 4)]
fn fails(_key: &Key, pool: &Balancer, statuses: &[u16], attempt: &Cell<usize>) -> Result<(), ApiError> {
    let now = attempt.replace(attempt.get() + 1);
    match statuses.get(now) {
        Some(status) => Err(ApiError::Status(*status)),
        None => Ok(()),
    }
}

fn held_against(pool: &Balancer) -> usize {
    pool.stats().keys.iter().filter(|key| key.health.factor() < 1.0).count()
}

#[test]
fn the_same_server_error_on_a_second_key_is_the_requests_fault() {
    let pool = balancer(8);
    let attempts = Cell::new(0);
    assert!(fails(&pool, &[503; 9], &attempts).is_err());
    assert_eq!((attempts.get(), held_against(&pool)), (5, 1), "all attempts are made, and one key bears the blame");
    assert_eq!(pool.stats().failures(), 5);
}

#[test]
fn different_server_errors_are_the_keys_affair() {
    let pool = balancer(8);
    assert!(fails(&pool, &[503, 500, 502], &Cell::new(0)).is_ok());
    assert_eq!(held_against(&pool), 3);
    let pool = balancer(8);
    assert!(fails(&pool, &[503, 500, 503, 500], &Cell::new(0)).is_ok());
    assert_eq!(held_against(&pool), 2, "each of them met a second key, if not at once");
}

#[test]
fn what_is_no_server_error_is_judged_on_every_key() {
    let pool = balancer(8);
    assert!(fails(&pool, &[429, 429, 429], &Cell::new(0)).is_ok());
    assert_eq!(held_against(&pool), 3);
}

#[balanced(balancer = pool)]
fn asks(_key: &Key, pool: &Balancer, answer: Result<(), ApiError>) -> Result<(), ApiError> {
    answer
}

#[test]
fn a_prompt_that_every_key_rejects_disables_none() {
    let pool = balancer(5);
    for _ in 0..200 {
        assert!(asks(&pool, Err(ApiError::Status(400))).is_err());
    }
    assert_eq!((pool.stats().available(), held_against(&pool)), (5, 0));
}

#[test]
fn a_network_that_is_down_costs_no_key_anything() {
    let pool = balancer(5);
    for _ in 0..200 {
        assert!(asks(&pool, Err(ApiError::Network)).is_err());
    }
    assert_eq!((pool.stats().available(), held_against(&pool)), (5, 0));
    for _ in 0..5 {
        assert!(asks(&pool, Ok(())).is_ok(), "no circuit is open when it is back");
    }
}

#[test]
fn a_revoked_key_is_out_whatever_the_others_do() {
    let pool = balancer(2);
    for _ in 0..2 {
        assert!(asks(&pool, Err(ApiError::Status(401))).is_err());
    }
    assert_eq!(pool.stats().disabled(), 2);
}
