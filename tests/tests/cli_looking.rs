//! The commands of `egb` that look at a pool and change nothing: what they print, as text and as JSON.

use egb::{Balancer, KeyConfig};
use egb_tests::Egb;

fn egb() -> Egb {
    Egb::new(env!("CARGO_BIN_EXE_egb_command"))
}

/// A pool with one key that was used.
fn one_key(egb: &Egb) {
    let config = KeyConfig::new("AIzaSyFAKE_looking_0123456789abcdef").label("work").weight(2.0);
    let balancer = Balancer::builder().key(config).db(egb.db()).build().unwrap();
    balancer.lease().unwrap().success();
    balancer.report(&"AIzaSyFAKE_looking_0123456789abcdef".into(), 429);
    balancer.flush().unwrap();
}

#[test]
fn a_pool_is_seen_through_its_database_alone() {
    let egb = egb();
    one_key(&egb);
    let stats = egb.run(&["stats", "--json"]).json();
    assert_eq!(stats["keys"]["total"], 1);
    assert_eq!(stats["keys"]["cooling_down"], 1);
    let list = egb.run(&["list", "--json"]).json();
    assert_eq!(list["keys"][0]["masked"], "…");
    assert_eq!(list["keys"][0]["weight"], 2.0);
    assert_eq!(list["keys"][0]["last_error"]["reason"], "rate_limited");
}
