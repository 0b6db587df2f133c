//! How often do ways of choosing a key meet a 429, and how many calls do they lose? Prints the tables of
//! the README.
//!
//! `cargo run --release --example simulation`

use std::time::Duration;

use egb_tests::simulation::tables;

fn main() {
    println!("First tries that meet a 429 / calls lost, in %, from the second minute on; an hour each,");
    println!("calls at random times at 80, 95, 99 and 105 % of what all keys can serve, 2 retries.");
    for table in tables(Duration::from_secs(61 * 60), 20_261_123) {
        println!("\n{table}");
    }
}
