//! A pool of 100,000 keys stays small. What it takes to open and save is printed, not tested:
//! `cargo run --release -p egb-tests --bin large_pool`.
#![cfg(target_os = "linux")]

use std::process::Command;

#[test]
fn a_hundred_thousand_keys_need_little_memory() {
    let output = Command::new(env!("CARGO_BIN_EXE_large_pool")).arg("100000").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    println!("{said}");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let opened = said.lines().find_map(|line| line.strip_suffix(" MB of memory")).unwrap().parse::<u32>().unwrap();
    // 49 where it was measured; what an allocator keeps differs a little.
    assert!(opened < 58, "{said}");
}
