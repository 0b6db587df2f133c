#![deny(warnings)]

#[path = "../../common.rs"]
mod common;

use common::{E, counts, pool};
use egb::{Balancer, Key, balanced};

use std::sync::{Arc, LazyLock};

static STATIC: LazyLock<Balancer> = LazyLock::new(pool);

struct Service {
    shared: Arc<Balancer>,
}

impl Service {
    #[balanced(balancer = self.shared)]
    fn field(&self, key: Key) -> Result<Key, E> {
        Ok(key)
    }

    #[balanced(balancer = self.choose(second))]
    fn chosen(&self, key: Key, second: bool) -> Result<(Key, bool), E> {
        Ok((key, second))
    }

    fn choose(&self, second: bool) -> &Balancer {
        if second { &STATIC } else { &self.shared }
    }
}

#[balanced(balancer = STATIC)]
fn of_static(key: Key) -> Result<Key, E> {
    Ok(key)
}

#[balanced(balancer = by_value)]
fn of_argument(key: Key, by_value: Balancer) -> Result<Key, E> {
    Ok(key)
}

/// As the extractors of a web framework.
struct State<T>(T);

#[derive(Clone)]
struct App {
    pool: Balancer,
    size: usize,
}

#[balanced(balancer = app.pool, retries = 1)]
fn of_pattern(State(app): State<&App>, key: Key, (a, b): (u8, u8)) -> Result<usize, E> {
    drop(key);
    Ok(app.size + usize::from(a + b))
}

#[balanced(balancer = pool)]
fn of_field(App { pool, mut size }: App, key: Key) -> Result<usize, E> {
    drop((key, pool));
    size += 1;
    Ok(size)
}

impl Clone for State<&App> {
    fn clone(&self) -> Self {
        Self(self.0)
    }
}

#[balanced(balancer = "by-name")]
fn of_name(key: Key) -> Result<Key, E> {
    Ok(key)
}

fn main() {
    let service = Service { shared: Arc::new(pool()) };
    service.field().unwrap();
    service.chosen(false).unwrap();
    service.chosen(true).unwrap();
    of_static().unwrap();
    of_argument(STATIC.clone()).unwrap();
    assert_eq!(counts(&service.shared).0, 2);
    assert_eq!(counts(&STATIC).0, 3);
    let app = App { pool: pool(), size: 5 };
    assert_eq!(of_pattern(State(&app), (1, 2)).unwrap(), 8);
    assert_eq!(of_field(app.clone()).unwrap(), 6);
    assert_eq!(counts(&app.pool), (2, 2, 0));

    assert!(matches!(of_name(), Err(E::Balance(egb::Error::UnknownBalancer { .. }))));
    let named = pool();
    let _guard = egb::register("by-name", named.clone()).unwrap();
    of_name().unwrap();
    assert_eq!(counts(&named).0, 1);
}
