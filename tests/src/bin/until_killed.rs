//! A program that makes calls on several threads until it is killed, and keeps books that survive that: what is
//! written to a file is the system's, whatever becomes of the program. `tests/kills.rs` compares them with the
//! database.
//!
//! `until_killed DB BOOKS`

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use egb::Balancer;
use parking_lot::Mutex;

const THREADS: u64 = 3;

/// Every so many calls one is answered with 401, but not so often that no key is left in the end.
const REVOKED_EVERY: u64 = 307;
const MOST_REVOKED: u64 = 4;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (db, books) = (arguments.next().ok_or("no database")?, arguments.next().ok_or("no books")?);
    let open = |name: &str| OpenOptions::new().create(true).append(true).open(format!("{books}.{name}"));
    let (begun, ended, disabled) = (open("begun")?, open("ended")?, Mutex::new(open("disabled")?));
    let keys = (0..egb_tests::KILLED_KEYS).map(egb_tests::killed_key);
    let balancer = Balancer::builder().keys(keys).db(db).build()?;
    let done = Arc::new(AtomicU64::new(0));
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (balancer, done, disabled, mut begun) = (&balancer, &done, &disabled, &begun);
            scope.spawn(move || {
                for turn in 0_u64.. {
                    // One byte a call.
                    begun.write_all(b".").expect("the books can be written");
                    let Ok(lease) = balancer.lease() else { return };
                    if turn % REVOKED_EVERY == thread * 100 + 9 && turn < MOST_REVOKED * REVOKED_EVERY {
                        let name = lease.key().fingerprint().to_string();
                        lease.end(401);
                        // On disk by now, as the call has returned.
                        writeln!(disabled.lock(), "{name}").expect("the books can be written");
                    } else {
                        lease.success();
                    }
                    done.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        scope.spawn(|| note(&ended, &done));
    });
    Ok(())
}

/// Notes every few milliseconds how many calls have ended.
fn note(mut ended: &File, done: &AtomicU64) {
    loop {
        let count = done.load(Ordering::SeqCst);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
        ended.write_all(format!("{now} {count}\n").as_bytes()).expect("the books can be written");
        thread::sleep(Duration::from_millis(5));
    }
}
