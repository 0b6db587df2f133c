//! A program that shares a database with others and does as it is told, a line at a time: `tests/together.rs` starts
//! several. Each line is answered with one line.
//!
//! `obedient DB`; `use N` makes N calls and answers with the keys they used, by label; `disable KEY`, `enable KEY`,
//! `throttle KEY SECONDS`, `revoke KEY`, `add KEY`, `remove KEY`, `reset`, `flush`, `calls` do what they say, and
//! `sh COMMAND` runs one where this program runs.

use std::collections::BTreeSet;
use std::error::Error;
use std::io::{self, BufRead, Write};
use std::process::Command;
use std::time::Duration;

use egb::{Balancer, Failure, Key, KeyConfig, Verdict};
use egb_tests::obedient_key;

/// Keys that it has from the start.
const OWN: [&str; 3] = ["a", "b", "c"];

fn obey(balancer: &Balancer, line: &str) -> Result<String, Box<dyn Error>> {
    let mut words = line.split_whitespace();
    let (command, label) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    // An added key is in the database, for all to see.
    let is_own = OWN.contains(&label);
    let key = Key::from(if is_own { obedient_key(label) } else { format!("an-added-key_{label}") });
    match command {
        "use" => {
            let mut used = BTreeSet::new();
            for _ in 0..label.parse()? {
                let lease = balancer.lease()?;
                let text = lease.key().expose_secret();
                used.insert(text.rsplit('_').next().unwrap_or_default().to_owned());
                lease.success();
            }
            return Ok(Vec::from_iter(used).join(" "));
        }
        "calls" => return Ok(balancer.stats().calls().to_string()),
        "disable" => balancer.disable(&key)?,
        "enable" => balancer.enable(&key)?,
        "revoke" => balancer.report(&key, 401),
        "throttle" => {
            let seconds = words.next().unwrap_or_default().parse()?;
            let failure = Failure::status(429).with_retry_after(Duration::from_secs(seconds));
            balancer.report(&key, Verdict::Failure(failure));
        }
        "add" => balancer.add(KeyConfig::new(key).label(label))?,
        "remove" => balancer.remove(&key)?,
        "reset" => balancer.reset()?,
        "flush" => balancer.flush()?,
        "sh" => {
            let command = line.trim_start_matches("sh ");
            return Ok(Command::new("sh").arg("-c").arg(command).status()?.to_string());
        }
        other => return Err(format!("unknown command {other}").into()),
    }
    Ok("done".to_owned())
}

fn main() -> Result<(), Box<dyn Error>> {
    let db = std::env::args().nth(1).ok_or("no database")?;
    let balancer = Balancer::builder().keys(OWN.map(obedient_key)).db(db).build()?;
    println!("ready");
    for line in io::stdin().lock().lines() {
        match obey(&balancer, &line?) {
            Ok(answer) => println!("{answer}"),
            Err(error) => println!("error: {error}"),
        }
        io::stdout().flush()?;
    }
    Ok(())
}
