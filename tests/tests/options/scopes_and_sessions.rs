//! `scope` and `affinity`: cooldowns that count apart, and sessions that stick to a key.

use egb::{Balancer, Key, KeyState, balanced};

use super::{ApiError, Bench, SECOND};

#[test]
fn a_scope_keeps_cooldowns_apart() {
    struct Client {
        pool: Balancer,
        model: String,
    }
    impl Client {
        #[balanced(balancer = self.pool, scope = self.model)]
        fn ask(&self, _key: &Key, status: u16) -> Result<(), ApiError> {
            if status == 200 { Ok(()) } else { Err(ApiError::Status(status)) }
        }
    }
    let bench = Bench::new(1);
    let client = |model: &str| Client { pool: bench.balancer.clone(), model: model.to_owned() };
    client("pro").ask(429).unwrap_err();
    assert!(matches!(client("pro").ask(200), Err(ApiError::Balance(_))));
    client("flash").ask(200).unwrap();
    let stats = bench.balancer.stats();
    assert_eq!((stats.keys[0].state, stats.keys[0].scopes[0].scope.as_str()), (KeyState::Available, "pro"));
    client("flash").ask(401).unwrap_err();
    assert_eq!(bench.balancer.stats().disabled(), 1, "a revoked key is revoked in every scope");
}

#[test]
fn retries_stay_in_the_scope() {
    #[balanced(balancer = pool, scope = "model", retries = 2)]
    async fn failing(_key: Key, pool: &Balancer) -> Result<(), ApiError> {
        Err(ApiError::Throttled(60 * SECOND))
    }
    let bench = Bench::new(3);
    bench.drive(failing(&bench.balancer)).0.unwrap_err();
    let stats = bench.balancer.stats();
    assert_eq!((stats.available(), stats.uses(), stats.calls()), (3, 3, 1));
    assert!(stats.keys.iter().all(|key| key.scopes.len() == 1));
}

#[test]
fn a_session_sticks_to_its_key() {
    #[balanced(balancer = pool, affinity = session)]
    fn talk(key: Key, pool: &Balancer, session: Option<&str>) -> Result<Key, ApiError> {
        Ok(key)
    }
    let bench = Bench::new(3);
    let anna = talk(&bench.balancer, Some("anna")).unwrap();
    let ben = talk(&bench.balancer, Some("ben")).unwrap();
    assert_ne!(anna, ben);
    for _ in 0..3 {
        assert_eq!(talk(&bench.balancer, Some("anna")).unwrap(), anna);
        assert_eq!(talk(&bench.balancer, Some("ben")).unwrap(), ben);
    }
    let others: Vec<Key> = (0..3).map(|_| talk(&bench.balancer, None).unwrap()).collect();
    assert!(others[0] != others[1] && others[1] != others[2], "without a session keys take turns");
}
