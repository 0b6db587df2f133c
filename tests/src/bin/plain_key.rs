//! The smallest program: keys in one line, with everything set by environment variables.
//! `plain_key N` fetches N distinct keys; `tests/environment.rs` runs it.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count = std::env::args().nth(1).ok_or("how many keys?")?.parse()?;
    println!("{} keys", egb::keys(count)?.len());
    Ok(())
}
