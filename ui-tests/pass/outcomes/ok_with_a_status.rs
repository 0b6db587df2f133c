#[path = "../../common.rs"]
mod common;

use common::{E, counts, pool};
use egb::{Key, balanced};

use http::{Response, StatusCode};

#[balanced(retries = 1)]
fn respond(key: Key, statuses: &mut Vec<StatusCode>) -> Result<Response<()>, E> {
    drop(key);
    let mut response = Response::new(());
    *response.status_mut() = statuses.pop().unwrap();
    Ok(response)
}

#[balanced]
fn generic<T: egb::StatusCode>(key: Key, value: T) -> Result<T, E> {
    drop(key);
    Ok(value)
}

fn main() {
    let balancer = pool();
    let _entered = balancer.enter();
    let mut statuses = vec![StatusCode::OK, StatusCode::TOO_MANY_REQUESTS];
    assert_eq!(respond(&mut statuses).unwrap().status(), 200, "Ok(429) was retried");
    assert_eq!(counts(&balancer), (2, 1, 1));
    assert_eq!(balancer.stats().throttled(), 1);
    let mut statuses = vec![StatusCode::NOT_FOUND];
    assert_eq!(respond(&mut statuses).unwrap().status(), 404, "the request's fault: not retried");
    generic(StatusCode::UNAUTHORIZED).unwrap();
    assert_eq!(balancer.stats().disabled(), 1);
}
