//! Bodies that take the lease itself, to end it or to attach a stream to it.

use std::sync::atomic::{AtomicU32, Ordering};

use egb::{Balancer, Lease, balanced};
use futures::stream::{self, StreamExt};

use super::{ApiError, Bench, SECOND};

#[balanced(balancer = pool)]
async fn with_lease(lease: Lease, pool: &Balancer, what: &str) -> Result<Option<Lease>, ApiError> {
    match what {
        "ends it well" => lease.success(),
        "ends it badly" => lease.end(403),
        "keeps it" => return Ok(Some(lease)),
        "fails before" => return Err(ApiError::Throttled(60 * SECOND)),
        "drops it" => drop(lease),
        _ => unreachable!(),
    }
    Ok(None)
}

#[test]
fn a_body_that_takes_the_lease_ends_it_or_leaves_that_to_the_result() {
    for (what, successes, failures, in_flight) in [
        ("ends it well", 1, 0, 0),
        ("ends it badly", 0, 1, 0),
        ("keeps it", 0, 0, 1),
        ("fails before", 0, 1, 0),
        ("drops it", 1, 0, 0),
    ] {
        let bench = Bench::new(1);
        let (kept, _) = bench.drive(with_lease(&bench.balancer, what));
        let stats = bench.balancer.stats();
        assert_eq!(
            (stats.successes(), stats.failures(), stats.keys[0].in_flight),
            (successes, failures, in_flight),
            "{what}"
        );
        drop(kept);
        let stats = bench.balancer.stats();
        assert_eq!((stats.successes(), stats.failures(), stats.keys[0].in_flight), (successes, failures, 0), "{what}");
    }
}

#[test]
fn a_sync_body_may_take_the_lease_too_and_be_retried() {
    #[balanced(balancer = pool, keys = 2, retries = 1)]
    fn sync(lease: Lease, pool: &Balancer, attempts: &AtomicU32) -> Result<usize, ApiError> {
        assert_eq!(egb::key().unwrap(), *lease.key());
        if attempts.fetch_add(1, Ordering::Relaxed) == 0 {
            return Err(ApiError::Status(503));
        }
        Ok(lease.keys().len())
    }
    let bench = Bench::new(4);
    assert_eq!(sync(&bench.balancer, &AtomicU32::new(0)).unwrap(), 2);
    let stats = bench.balancer.stats();
    assert_eq!((stats.uses(), stats.failures(), stats.successes()), (4, 2, 2));
}

#[balanced(balancer = pool)]
async fn streams(
    lease: Lease,
    pool: &Balancer,
    items: Vec<Result<u8, u16>>,
) -> Result<impl futures::Stream<Item = Result<u8, ApiError>> + use<>, ApiError> {
    let items = stream::iter(items).map(|item| {
        assert!(egb::key().is_ok(), "the stream runs within its call");
        item.map_err(ApiError::Status)
    });
    Ok(lease.attach(items))
}

#[test]
fn a_stream_holds_its_key_until_it_ends_fails_or_is_dropped() {
    let bench = Bench::new(1);
    let counts = || {
        let stats = bench.balancer.stats();
        (stats.successes(), stats.failures(), stats.keys[0].in_flight)
    };
    let mut stream = Box::pin(bench.drive(streams(&bench.balancer, vec![Ok(1), Ok(2)])).0.unwrap());
    assert_eq!(counts(), (0, 0, 1));
    assert_eq!(bench.drive(stream.next()).0.unwrap().unwrap(), 1);
    assert_eq!(counts(), (0, 0, 1));
    assert_eq!(bench.drive(stream.collect::<Vec<_>>()).0.len(), 1);
    assert_eq!(counts(), (1, 0, 0), "it ended");

    let mut stream = Box::pin(bench.drive(streams(&bench.balancer, vec![Ok(1), Err(400), Ok(3)])).0.unwrap());
    assert!(bench.drive(stream.next()).0.unwrap().is_ok());
    assert!(bench.drive(stream.next()).0.unwrap().is_err());
    assert_eq!(counts(), (1, 1, 0), "it failed, and what follows changes nothing");
    assert!(bench.drive(stream.next()).0.unwrap().is_ok());
    drop(stream);
    assert_eq!(counts(), (1, 1, 0));

    let mut stream = Box::pin(bench.drive(streams(&bench.balancer, vec![Ok(1), Ok(2)])).0.unwrap());
    assert!(bench.drive(stream.next()).0.unwrap().is_ok());
    drop(stream);
    assert_eq!(counts(), (1, 1, 0), "it was dropped: neutral");
}

#[test]
fn a_stream_that_finds_its_key_revoked_yields_the_error_when_that_is_on_disk() {
    let folder = egb_tests::tempdir().unwrap();
    let path = folder.path().join("keys.db");
    let balancer = Balancer::builder().key("test-key").db(&path).build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut stream = Box::pin(streams(&balancer, vec![Err(401)]).await.unwrap());
        assert!(stream.next().await.unwrap().is_err());
        let stored = rusqlite::Connection::open(&path).unwrap();
        let disabled: bool = stored.query_one("SELECT disabled FROM keys", [], |row| row.get(0)).unwrap();
        assert!(disabled);
    });
}
