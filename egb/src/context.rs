//! What the current thread or task is in the midst of: a balanced call (its key is what `egb::key()`
//! returns) and a balancer that stands in for the global one. Nothing here chooses keys.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::mem;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use futures_core::Stream;

use crate::balancer::Balancer;
use crate::key::Key;
use crate::pool::Held;

/// The surroundings of the running code. A thread has one; a future brings its own to each poll.
#[derive(Default)]
pub(crate) struct Surroundings {
    held: Option<Held>,
    balancer: Option<Balancer>,
}

thread_local! {
    static CURRENT: RefCell<Surroundings> = const { RefCell::new(Surroundings { held: None, balancer: None }) };
}

/// The keys of the call that this code runs in, at least `count` of them.
pub(crate) fn held_keys(count: usize) -> Option<Vec<Key>> {
    with_held(|held| (held.keys().len() >= count).then(|| held.keys()[..count].to_vec()))
}

/// All keys of the call that this code runs in.
pub(crate) fn all_held_keys() -> Vec<Key> {
    with_held(|held| Some(held.keys().to_vec())).unwrap_or_default()
}

/// The first key of the call that this code runs in.
pub(crate) fn held_key() -> Option<Key> {
    with_held(|held| held.keys().first().cloned())
}

fn with_held<T>(look: impl FnOnce(&Held) -> Option<T>) -> Option<T> {
    // While a thread's storage is torn down there is no call either.
    CURRENT.try_with(|current| current.borrow().held.as_ref().and_then(look)).ok().flatten()
}

/// The balancer that stands in for the global one here.
pub(crate) fn balancer() -> Option<Balancer> {
    CURRENT.try_with(|current| current.borrow().balancer.clone()).ok().flatten()
}

/// Which part of the surroundings is replaced.
pub(crate) trait Part {
    fn swap(&mut self, current: &mut Surroundings);
}

/// A balanced call: its keys; the balancer around it stays.
impl Part for Option<Held> {
    fn swap(&mut self, current: &mut Surroundings) {
        mem::swap(self, &mut current.held);
    }
}

/// Another balancer: it has the say from here on, calls around it are out of sight.
impl Part for Surroundings {
    fn swap(&mut self, current: &mut Surroundings) {
        mem::swap(self, current);
    }
}

/// Replaces a part of the surroundings until dropped.
pub(crate) struct Replaced<'a, P: Part>(&'a mut P);

impl<'a, P: Part> Replaced<'a, P> {
    fn new(part: &'a mut P) -> Self {
        swap(part);
        Self(part)
    }
}

impl<P: Part> Drop for Replaced<'_, P> {
    fn drop(&mut self) {
        swap(self.0);
    }
}

fn swap<P: Part>(part: &mut P) {
    // Fails only while the thread's storage is torn down, when nobody can ask any more.
    let _ = CURRENT.try_with(|current| part.swap(&mut current.borrow_mut()));
}

/// Runs `body` as a call that holds these keys.
pub(crate) fn with_keys<R>(held: Held, body: impl FnOnce() -> R) -> R {
    let mut held = Some(held);
    let _call = enter(&mut held);
    body()
}

/// Lets the code that follows run as a call that holds `held`, which is elsewhere until the guard is dropped. No
/// closure, because who calls this is compiled again for each balanced function.
pub(crate) fn enter(held: &mut Option<Held>) -> Replaced<'_, Option<Held>> {
    Replaced::new(held)
}

/// Runs the future or stream `body` as a call that holds these keys.
pub(crate) fn in_call<F>(held: Held, body: F) -> InCall<F> {
    InCall { body, call: Some(held) }
}

pin_project_lite::pin_project! {
    /// A future that runs as a balanced call.
    pub struct InCall<F> {
        #[pin]
        body: F,
        call: Option<Held>,
    }
}

impl<F: Future> Future for InCall<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _replaced = Replaced::new(this.call);
        this.body.poll(task)
    }
}

impl<S> InCall<S> {
    pub(crate) fn inner(&self) -> &S {
        &self.body
    }
}

impl<S: Stream> InCall<S> {
    /// The next item of a stream that runs as a balanced call.
    pub(crate) fn poll_next(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Option<S::Item>> {
        let this = self.project();
        let _replaced = Replaced::new(this.call);
        this.body.poll_next(task)
    }
}

impl<F> fmt::Debug for InCall<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InCall").finish_non_exhaustive()
    }
}

/// Makes a balancer the default of this thread until it is dropped, from
/// [`Balancer::enter`](crate::Balancer::enter). Drop guards in the reverse order of their making.
#[must_use = "the balancer stands in for the global one until this guard is dropped"]
pub struct EnterGuard {
    outer: Surroundings,
    /// It belongs to its thread.
    _not_send: PhantomData<*const ()>,
}

impl EnterGuard {
    pub(crate) fn new(balancer: Balancer) -> Self {
        let mut outer = Surroundings { held: None, balancer: Some(balancer) };
        swap(&mut outer);
        Self { outer, _not_send: PhantomData }
    }
}

impl Drop for EnterGuard {
    fn drop(&mut self) {
        swap(&mut self.outer);
    }
}

impl fmt::Debug for EnterGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnterGuard").finish_non_exhaustive()
    }
}

pin_project_lite::pin_project! {
    /// A future for which a balancer is the default, from [`Balancer::scope`](crate::Balancer::scope).
    #[must_use = "futures do nothing unless polled"]
    pub struct Scoped<F> {
        #[pin]
        body: F,
        inner: Surroundings,
    }
}

impl<F> Scoped<F> {
    pub(crate) fn new(balancer: Balancer, body: F) -> Self {
        Self { body, inner: Surroundings { held: None, balancer: Some(balancer) } }
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _replaced = Replaced::new(this.inner);
        this.body.poll(task)
    }
}

impl<F> fmt::Debug for Scoped<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scoped").finish_non_exhaustive()
    }
}
