//! `disable`, `enable`, `weight` and `reset`: keys that stay in the pool.

use egb::{Balancer, KeyState};
use egb_tests::Egb;
use serde_json::{Value, json};

use super::{ADDED, GIVEN, fingerprint, given_and_added, list, one_key, short};

#[test]
fn keys_are_disabled_and_enabled_by_any_name() {
    let egb = one_key();
    assert_eq!(egb.run(&["disable", "one"]).fine(), format!("disabled {} (one)\n", short(ADDED)));
    assert_eq!(egb.run(&["disable", &short(ADDED)]).fine(), format!("was disabled already: {} (one)\n", short(ADDED)));
    assert_eq!(egb.run(&["stats"]).code, 3);
    let json = egb.run(&["enable", &fingerprint(ADDED), "one", "--json"]).json();
    assert_eq!((json["enabled"].as_array().unwrap().len(), &json["unchanged"]), (1, &json!([])));
    assert_eq!(egb.run(&["enable", "one"]).fine(), format!("was enabled already: {} (one)\n", short(ADDED)));
    assert_eq!(list(&egb)[0]["state"], "available");
}

#[test]
fn a_key_of_a_file_is_enabled_without_the_file() {
    let egb = given_and_added();
    egb.run(&["enable", &short(GIVEN)]).fine();
    let stats = Balancer::builder().key(GIVEN).db(egb.db()).build().unwrap().stats();
    assert_eq!(stats.keys[0].state, KeyState::Available);
}

#[test]
fn weights_of_added_keys_are_changed() {
    let egb = one_key();
    assert_eq!(
        egb.run(&["weight", "one", "2.5"]).fine(),
        format!("{} (one) has weight 2.5 now; it was 1\n", short(ADDED))
    );
    let json = egb.run(&["weight", "one", "4", "--json"]).json();
    assert_eq!(json, json!({ "fingerprint": fingerprint(ADDED), "label": "one", "weight": 4.0, "was": 2.5 }));
    assert_eq!(list(&egb)[0]["limits"]["rpm"], 5, "all else is as it was");
    for bad in ["0", "-1", "many", "nan"] {
        assert_eq!(egb.run(&["weight", "one", "--", bad]).code, 2, "{bad}");
    }
}

#[test]
fn a_reset_is_asked_about_unless_keys_are_named() {
    let egb = given_and_added();
    let printed = egb.run(&["reset"]);
    let (code, error) = printed.refused();
    assert_eq!(code, 2);
    assert!(error.contains("--yes resets all keys"), "{error}");
    egb.run(&["disable", "one"]).fine();
    assert_eq!(egb.run(&["reset", "one"]).fine(), format!("reset {} (one)\n", short(ADDED)));
    let states = |egb: &Egb| -> Vec<Value> { list(egb).iter().map(|key| key["state"].clone()).collect() };
    let mut expected = states(&egb);
    expected.sort_by_key(Value::to_string);
    assert_eq!(expected, ["available", "disabled"]);
    assert_eq!(egb.run(&["reset", "--yes"]).fine(), "reset all 2 keys\n");
    assert_eq!(states(&egb), ["available", "available"]);
    assert_eq!(egb.run(&["reset", "--yes", "--json"]).json(), json!({ "total": 2, "keys": [] }));
}

#[test]
fn small_weights_are_shown_and_senseless_ones_refused() {
    let egb = one_key();
    let small = egb.run(&["weight", "one", "0.001"]);
    assert!(small.fine().ends_with("has weight 0.001 now; it was 1\n"), "{small:?}");
    assert!(egb.run(&["list"]).fine().contains(" 0.001 "));
    for bad in ["1e308", "1000000001", "0.0000001"] {
        let refused = egb.run(&["weight", "one", bad]);
        assert_eq!(refused.code, 2, "{bad}");
        assert!(refused.err.contains("from 0.000001 to 1000000000"), "{refused:?}");
    }
}
