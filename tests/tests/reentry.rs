//! egb runs code of the program's: what listens to `tracing`, and wakers. That code may use the balancer, wherever it is
//! called from; and where it panics, egb goes on.

use std::collections::HashMap;
use std::fs;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Once, OnceLock, mpsc};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

use egb::{Balancer, Clock, Error, EventKind, Lease, ManualClock, StoreErrorKind, SystemClock};
use parking_lot::{Mutex, RwLock};
use tracing::{Level, Metadata, Subscriber, span, subscriber};

/// Far longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(60);
const WAIT: Duration = Duration::from_secs(1_000);

/// Runs a test on a thread of its own, one after the other: one that hangs fails, and no other with it.
fn in_time(test: impl FnOnce() + Send + 'static) {
    let _turn = TURN.lock();
    listen_first();
    let (done, is_done) = mpsc::channel();
    let running = thread::spawn(move || {
        test();
        done.send(()).unwrap();
    });
    match is_done.recv_timeout(LIMIT) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("it hangs"),
        _ => running.join().unwrap(),
    }
}

/// Before anybody else does: with `EGB_TRACE`, whoever makes a folder.
fn listen_first() {
    static FIRST: Once = Once::new();
    FIRST.call_once(|| subscriber::set_global_default(Listener).expect("nobody listens yet"));
}

type Hook = Arc<dyn Fn(&Metadata<'_>) + Send + Sync>;

/// What is called with all that egb logs, on whatever thread.
static HOOK: RwLock<Option<Hook>> = RwLock::new(None);
static TURN: Mutex<()> = Mutex::new(());

struct Listener;

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "egb" && *metadata.level() <= Level::DEBUG
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        // Not under the lock: it is to hang for egb's sake alone.
        let hook = HOOK.read().clone();
        if let Some(hook) = hook {
            hook(event.metadata());
        }
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// Has `hook` listen until the guard is dropped.
fn listen(hook: impl Fn(&Metadata<'_>) + Send + Sync + 'static) -> Listening {
    *HOOK.write() = Some(Arc::new(hook));
    Listening
}

struct Listening;

impl Drop for Listening {
    fn drop(&mut self) {
        *HOOK.write() = None;
    }
}

fn is_writer() -> bool {
    thread::current().name() == Some("egb-writer")
}

fn open(db: &Path) -> Balancer {
    Balancer::builder().keys(["test-key-1", "test-key-2", "test-key-3"]).db(db).build().unwrap()
}

#[test]
fn a_listener_may_look_at_the_balancer_when_there_are_too_many_scopes() {
    in_time(|| {
        let balancer = Balancer::builder().key("test-key-1").build().unwrap();
        let (looker, warnings) = (balancer.clone(), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&warnings);
        let _listening = listen(move |metadata| {
            assert_eq!(looker.stats().total(), 1);
            counted.fetch_add(usize::from(*metadata.level() == Level::WARN), Ordering::SeqCst);
        });
        for scope in 0..300 {
            balancer.checkout().scope(format!("scope {scope}")).lease().unwrap().success();
        }
        assert_eq!(warnings.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_listener_may_reload_when_keys_come_and_go() {
    in_time(|| {
        let shared: Arc<OnceLock<Balancer>> = Arc::default();
        let (hooked, reloads) = (Arc::clone(&shared), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&reloads);
        let _listening = listen(move |metadata| {
            if ["key_added", "key_removed"].contains(&metadata.name())
                && let Some(balancer) = hooked.get()
            {
                assert_eq!(balancer.reload().unwrap().unchanged, 2);
                counted.fetch_add(1, Ordering::SeqCst);
            }
        });
        let folder = egb_tests::tempdir().unwrap();
        let file = folder.path().join("keys.txt");
        fs::write(&file, "test-key-1\ntest-key-2\n").unwrap();
        let balancer = Balancer::builder().keys_file(&file).build().unwrap();
        shared.set(balancer.clone()).unwrap();
        fs::write(&file, "test-key-1\ntest-key-3\n").unwrap();
        let reloaded = balancer.reload().unwrap();
        assert_eq!((reloaded.added, reloaded.removed, reloads.load(Ordering::SeqCst)), (1, 1, 2));
    });
}

#[test]
fn a_listener_on_the_thread_that_writes_is_told_that_it_cannot_wait_for_it() {
    in_time(|| {
        let own: Arc<OnceLock<Balancer>> = Arc::default();
        let (sender, results) = mpsc::channel();
        let (hooked, warnings) = (Arc::clone(&own), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&warnings);
        let _listening = listen(move |metadata| {
            counted.fetch_add(usize::from(metadata.name().starts_with("event")), Ordering::SeqCst);
            if metadata.name() == "key_disabled"
                && is_writer()
                && let Some(balancer) = hooked.get()
                && balancer.stats().disabled() == 1
            {
                let results = [balancer.flush(), balancer.add("another-key")];
                balancer.report(&"test-key-2".into(), 401);
                sender.send(results).unwrap();
            }
        });
        let folder = egb_tests::tempdir().unwrap();
        let db = folder.path().join("keys.db");
        let (here, elsewhere) = (open(&db), open(&db));
        own.set(here.clone()).unwrap();
        elsewhere.report(&"test-key-1".into(), 401);
        for result in results.recv_timeout(LIMIT).unwrap() {
            let Err(Error::Store(error)) = result else { panic!("{result:?}") };
            assert!(matches!(error.kind(), StoreErrorKind::OwnThread), "{error}");
        }
        egb_tests::eventually("what it reported is written", || elsewhere.stats().disabled() == 2);
        here.flush().unwrap();
        assert_eq!(here.stats().total(), 3);
        assert_eq!(warnings.load(Ordering::SeqCst), 0, "no call went on without its disablement");
    });
}

#[test]
fn a_listener_that_panics_on_the_thread_that_writes_does_not_end_it() {
    in_time(|| {
        let warnings = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&warnings);
        let _listening = listen(move |metadata| {
            counted.fetch_add(usize::from(metadata.name().starts_with("event")), Ordering::SeqCst);
            assert!(!is_writer(), "as asked, at each event of the thread: {}", metadata.name());
        });
        let folder = egb_tests::tempdir().unwrap();
        let db = folder.path().join("keys.db");
        let (here, elsewhere) = (open(&db), open(&db));
        let mut events = here.subscribe();
        elsewhere.report(&"test-key-1".into(), 401);
        egb_tests::eventually("the news", || here.stats().disabled() == 1);
        here.flush().unwrap();
        here.report(&"test-key-2".into(), 401);
        egb_tests::eventually("the news of that", || elsewhere.stats().disabled() == 2);
        here.add("another-key").unwrap();
        assert_eq!(here.stats().total(), 4);
        egb_tests::eventually("a warning of each writer", || warnings.load(Ordering::SeqCst) == 2);
        let told: Vec<_> = std::iter::from_fn(|| events.try_next().unwrap()).map(|event| event.kind).collect();
        assert!(matches!(told[..], [EventKind::Disabled { .. }, EventKind::Disabled { .. }, EventKind::Added]));
    });
}

#[test]
fn events_come_in_the_order_in_which_things_happened() {
    in_time(|| {
        let ((said, is_said), (go_on, may_go_on)) = (mpsc::channel(), mpsc::channel::<()>());
        let gates = Mutex::new((said, may_go_on));
        let _listening = listen(move |metadata| {
            if metadata.name() == "key_disabled" {
                let gates = gates.lock();
                gates.0.send(()).unwrap();
                gates.1.recv_timeout(LIMIT).unwrap();
            }
        });
        let balancer = Balancer::builder().key("test-key-1").build().unwrap();
        let mut events = balancer.subscribe();
        let other = balancer.clone();
        let disabling = thread::spawn(move || other.disable(&"test-key-1".into()).unwrap());
        is_said.recv_timeout(LIMIT).unwrap();
        balancer.enable(&"test-key-1".into()).unwrap();
        go_on.send(()).unwrap();
        disabling.join().unwrap();
        assert_eq!(balancer.stats().disabled(), 0);
        let told: Vec<_> = std::iter::from_fn(|| events.try_next().unwrap()).map(|event| event.kind).collect();
        assert_eq!(told, [EventKind::Disabled { reason: None }, EventKind::Enabled]);
    });
}

#[test]
fn what_a_listener_does_is_told_after_what_it_was_told() {
    in_time(|| {
        let balancer = Balancer::builder().key("test-key-1").build().unwrap();
        let (actor, names) = (balancer.clone(), Arc::new(Mutex::new(Vec::new())));
        let heard = Arc::clone(&names);
        let _listening = listen(move |metadata| {
            if metadata.name() == "key_disabled" {
                actor.enable(&"test-key-1".into()).unwrap();
                heard.lock().push("was told");
            }
            heard.lock().push(metadata.name());
        });
        balancer.disable(&"test-key-1".into()).unwrap();
        assert_eq!(*names.lock(), ["was told", "key_disabled", "key_enabled"]);
    });
}

/// A waker that looks at the balancer when nobody needs it any more.
struct Curious(Balancer, Option<ManualClock>, Arc<AtomicUsize>);

impl Wake for Curious {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Curious {
    fn drop(&mut self) {
        assert_eq!(self.0.stats().total(), 1);
        if let Some(clock) = &self.1 {
            clock.sleepers();
        }
        self.2.fetch_add(1, Ordering::SeqCst);
    }
}

/// One that waits for the only key, with a waker that is dropped before it.
fn waits(
    clock: Option<ManualClock>,
    end: impl Fn(Pin<&mut dyn Future<Output = Result<Lease, Error>>>, Lease) + Send + 'static,
) {
    in_time(move || {
        let builder = Balancer::builder().key("test-key-1").concurrency(1);
        let builder = match &clock {
            Some(clock) => builder.clock(clock.clone()),
            None => builder.clock(SystemClock::new()),
        };
        let balancer = builder.build().unwrap();
        let (held, drops) = (balancer.lease().unwrap(), Arc::new(AtomicUsize::new(0)));
        let checkout = balancer.checkout().wait(WAIT);
        let mut waiting = Box::pin(checkout.lease_async());
        let waker: Waker = Arc::new(Curious(balancer.clone(), clock.clone(), Arc::clone(&drops))).into();
        assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        drop(waker);
        end(waiting.as_mut(), held);
        drop(waiting);
        assert_eq!(drops.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_waker_that_is_dropped_may_look_at_the_balancer() {
    for clock in [None, Some(ManualClock::new())] {
        // The future is dropped; or has another waker; or its key; or ends in vain.
        waits(clock.clone(), |_, held| held.success());
        waits(clock.clone(), |_, held| drop(held));
        waits(clock.clone(), |_, held| std::mem::forget(held));
        waits(clock.clone(), |future, held| {
            assert!(future.poll(&mut Context::from_waker(Waker::noop())).is_pending());
            held.success();
        });
        waits(clock.clone(), |future, held| {
            held.success();
            assert!(future.poll(&mut Context::from_waker(Waker::noop())).is_ready());
        });
    }
    let clock = ManualClock::new();
    let late = clock.clone();
    waits(Some(clock), move |future, _held| {
        late.advance(2 * WAIT);
        assert!(future.poll(&mut Context::from_waker(Waker::noop())).is_ready());
    });
}

#[test]
fn a_waker_that_is_dropped_may_read_the_clock() {
    struct Reader(ManualClock);
    impl Wake for Reader {
        fn wake(self: Arc<Self>) {}
    }
    impl Drop for Reader {
        fn drop(&mut self) {
            self.0.utc();
        }
    }
    in_time(|| {
        let clock = ManualClock::new();
        let mut sleep = clock.sleep_until(WAIT);
        for _ in 0..2 {
            let waker: Waker = Arc::new(Reader(clock.clone())).into();
            assert!(sleep.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        assert_eq!(clock.sleepers(), 1);
        drop(sleep);
        assert_eq!(clock.sleepers(), 0);
    });
}

/// In a process of its own, for there is one global a process.
#[test]
fn a_listener_may_ask_for_a_key_while_the_global_balancer_is_built() {
    const CHILD: &str = "EGB_TEST_BUILDS_THE_GLOBAL";
    listen_first();
    if std::env::var_os(CHILD).is_none() {
        let folder = egb_tests::tempdir().unwrap();
        let db = folder.path().join("keys.db");
        drop(open(&db));
        make_readable(&db);
        let name = "a_listener_may_ask_for_a_key_while_the_global_balancer_is_built";
        let variables = HashMap::from([("EGB_KEYS", "test-key-1"), ("EGB_DB", db.to_str().unwrap()), (CHILD, "1")]);
        let program = std::env::current_exe().unwrap();
        let output = Command::new(program).args(["--exact", name]).envs(variables).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        return;
    }
    in_time(|| {
        let (sender, asked) = mpsc::channel();
        let _listening = listen(move |metadata| {
            if *metadata.level() == Level::WARN {
                sender.send(egb::key().map(drop)).unwrap();
            }
        });
        egb::key().unwrap();
        if cfg!(unix) {
            assert!(matches!(asked.try_recv(), Ok(Err(Error::NotSetUp))));
        }
    });
}

#[cfg(unix)]
fn make_readable(file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
}

#[cfg(not(unix))]
fn make_readable(_: &Path) {}
