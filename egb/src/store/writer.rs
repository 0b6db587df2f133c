//! stub
use super::*;
use std::sync::Arc;
pub(crate) trait Journal: Send + Sync + 'static {
    fn drain(&self, batch: &mut Vec<Change>, max: usize) -> bool;
    fn committed(&self, batch: &[Change]);
    fn rejected(&self, batch: &[Change]);
    fn merge(&self, records: &[Record]);
}
pub(crate) struct Writer;
#[derive(Debug)]
pub(crate) struct Ack;
impl Ack {
    pub(crate) fn wait(self) {}
}
impl std::future::Future for Ack {
    type Output = ();
    fn poll(self: std::pin::Pin<&mut Self>, _: &mut std::task::Context<'_>) -> std::task::Poll<()> {
        std::task::Poll::Ready(())
    }
}
impl Writer {
    pub(crate) fn spawn(_: impl Store, _: Arc<dyn Journal>) -> Writer {
        Self
    }
    pub(crate) fn wake(&self) {}
    pub(crate) fn save(&self) -> Ack {
        Ack
    }
    pub(crate) fn flush(&self) -> Result<(), Arc<StoreError>> {
        Ok(())
    }
}
