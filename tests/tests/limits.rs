//! Eight keys of ten requests a minute at 95 % of what they can serve together, over real HTTP, in
//! minutes that pass at once: the clocks of egb and of the server are driven by the test.

mod common;

use std::time::Duration;

use common::{ApiError, ask};
use egb::{Balancer, Error, Key, ManualClock, balanced};
use egb_tests::{FakeGemini, Quota, ServerClock};

const KEYS: u32 = 8;
const PER_MINUTE: u32 = 10;
const MODEL: &str = "gemini-2.5-flash";

#[balanced(retries = 3)]
async fn generate(key: Key, client: &reqwest::Client, url: &str) -> Result<String, ApiError> {
    ask(client, url, &key, "hello").await
}

struct Bench {
    server: FakeGemini,
    clocks: Clocks,
    client: reqwest::Client,
    url: String,
}

#[derive(Clone)]
struct Clocks(ManualClock, ServerClock);

impl Clocks {
    fn advance(&self, by: Duration) {
        self.0.advance(by);
        self.1.advance(by);
    }
}

fn key(n: u32) -> String {
    format!("AIzaSyFAKE_limited_key_number_{n}")
}

impl Bench {
    async fn new() -> Self {
        let clocks = Clocks(ManualClock::new(), ServerClock::new());
        let mut server = FakeGemini::builder().clock(clocks.1.clone());
        for n in 0..KEYS {
            server = server.key_with(key(n), Quota::per_minute(PER_MINUTE as usize));
        }
        let server = server.start().await.unwrap();
        let url = server.generate_url(MODEL);
        Self { server, clocks, client: reqwest::Client::new(), url }
    }

    fn balancer(&self) -> egb::BalancerBuilder {
        Balancer::builder().keys((0..KEYS).map(key)).clock(self.clocks.0.clone())
    }
}

/// Gaps between calls with the given mean: exponential, as of independent callers, from a fixed seed.
fn poisson(mean: Duration, count: usize) -> Vec<Duration> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let uniform = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        f64::from(u32::try_from(state >> 32).unwrap()).mul_add(1.0 / 4_294_967_296.0, f64::MIN_POSITIVE)
    };
    std::iter::repeat_with(uniform).map(|uniform| mean.mul_f64(-uniform.ln())).take(count).collect()
}

/// 95 % of what all keys can serve.
fn mean_gap() -> Duration {
    Duration::from_secs(60).div_f64(f64::from(KEYS * PER_MINUTE) * 0.95)
}

#[tokio::test]
async fn with_the_limits_given_the_server_never_says_429() {
    let bench = Bench::new().await;
    let balancer = bench.balancer().rpm(PER_MINUTE).build().unwrap();
    let mut waited = 0;
    for gap in poisson(mean_gap(), 800) {
        bench.clocks.advance(gap);
        loop {
            match balancer.scope(async { generate(&bench.client, &bench.url).await }).await {
                Ok(_) => break,
                // All keys are at their limit, as bursts of arrivals have it: come back when egb says.
                Err(ApiError::Balance(error @ Error::NoKeyFree { .. })) => {
                    waited += 1;
                    bench.clocks.advance(error.retry_after().expect("a limit ends at a known time"));
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
    assert_eq!(bench.server.count_status(429), 0);
    assert_eq!(bench.server.count_status(200), 800);
    assert!((1..400).contains(&waited), "{waited} waits: the limits were met, and not all the time");
}

#[tokio::test]
async fn limits_that_nobody_gave_are_learned_and_met_rarely() {
    let bench = Bench::new().await;
    let balancer = bench.balancer().build().unwrap();
    let (mut lost, mut refused_at_first) = (0, 0);
    for (call, gap) in poisson(mean_gap(), 800).into_iter().enumerate() {
        bench.clocks.advance(gap);
        if balancer.scope(async { generate(&bench.client, &bench.url).await }).await.is_err() {
            lost += 1;
        }
        // The first minute.
        if call == 80 {
            refused_at_first = bench.server.count_status(429);
        }
    }
    let refused = bench.server.count_status(429) - refused_at_first;
    assert!(refused <= 2 * KEYS as usize, "each key has to meet its limit once: {refused}");
    assert!(lost < 80, "{lost} calls found no key");
    let learned: Vec<_> = balancer.stats().keys.iter().filter_map(|key| key.learned_rpm).collect();
    assert!(learned.iter().all(|&learned| learned <= PER_MINUTE), "{learned:?}");
    assert!(!learned.is_empty());
}

#[tokio::test]
async fn without_the_limits_no_call_fails_for_its_caller() {
    let bench = Bench::new().await;
    let balancer = bench.balancer().build().unwrap();
    for call in 0..600 {
        // Evenly, give or take: what comes in any minute is within what the keys can serve.
        bench.clocks.advance(mean_gap().mul_f64(if call % 2 == 0 { 0.6 } else { 1.4 }));
        if call % 190 == 100 {
            // Somebody else uses one of the keys as well.
            for _ in 0..3 {
                ask(&bench.client, &bench.url, &key(3).into(), "not by egb").await.ok();
            }
        }
        let answer = balancer.scope(async { generate(&bench.client, &bench.url).await }).await;
        assert!(answer.is_ok(), "call {call}: {}", answer.unwrap_err());
    }
    assert!(bench.server.count_status(429) > 0, "the server said no, and another key took over");
    assert_eq!(balancer.stats().disabled(), 0);
}

#[tokio::test]
async fn a_daily_limit_holds_until_midnight_in_california() {
    let bench = Bench::new().await;
    // 2026-11-23 07:00 UTC is 23:00 of the day before in California.
    let clock = ManualClock::at(std::time::UNIX_EPOCH + Duration::from_secs(1_795_417_200));
    let balancer = Balancer::builder().key(key(0)).rpd(3).clock(clock.clone()).build().unwrap();
    for _ in 0..3 {
        balancer.scope(async { generate(&bench.client, &bench.url).await }).await.unwrap();
    }
    let error = balancer.scope(async { generate(&bench.client, &bench.url).await }).await.unwrap_err();
    let ApiError::Balance(error) = error else { panic!("{error}") };
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3600)));
    clock.advance(Duration::from_secs(3600));
    balancer.scope(async { generate(&bench.client, &bench.url).await }).await.unwrap();
}
