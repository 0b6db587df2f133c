//! Names of the user's that the expansion must not fall for.

mod shadow {
    #![allow(dead_code, unused_macros)]

    use ::egb::balanced;

    pub struct Key;
    pub struct Balancer;
    pub struct Lease;
    pub struct Verdict;
    pub trait Inject {}
    pub trait Again {
        fn again(&self) {}
        fn clone(&self) {}
        fn verdict(&self) {}
    }
    impl<T> Again for T {}
    pub fn given() {}
    pub fn lease() {}
    macro_rules! panic {
        () => {};
    }
    mod core {}
    mod std {}
    mod egb {}

    #[balanced(retries = 1)]
    pub fn call(key: ::egb::Key, text: ::std::string::String) -> Result<usize, ::egb::Error> {
        let (__lease, __held, __outcome, __again1) = ((), (), (), ());
        let _ = (__lease, __held, __outcome, __again1, key);
        Ok(text.len())
    }

    #[balanced]
    pub async fn call_async(key: ::egb::Key, __lease: u8, __held: u8) -> Result<u8, ::egb::Error> {
        let _ = key;
        Ok(__lease + __held)
    }
}

fn main() {
    let balancer = egb::Balancer::builder().key("test-key").in_memory().build().unwrap();
    let _entered = balancer.enter();
    assert_eq!(shadow::call("four".to_owned()).unwrap(), 4);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(shadow::call_async(1, 2)).unwrap(), 3);
    assert_eq!(balancer.stats().successes(), 2);
}
