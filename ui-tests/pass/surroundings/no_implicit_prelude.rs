#![no_implicit_prelude]
#![forbid(unsafe_code, unused_variables, unused_mut, unused_braces, unused_parens, dead_code)]

/// Names of the user's that the expansion must not fall for.
#[derive(Debug)]
pub struct Ok;
#[derive(Debug)]
pub struct Err;
#[derive(Debug)]
pub struct Some;
#[derive(Debug)]
pub struct None;
#[derive(Debug)]
pub struct Option;
#[derive(Debug)]
pub struct Result;
#[derive(Debug)]
pub struct Clone;

#[::egb::balanced(retries = 1)]
pub fn call(key: ::egb::Key, text: ::std::string::String) -> ::core::result::Result<usize, ::egb::Error> {
    ::core::result::Result::Ok(text.len() + key.expose_secret().len())
}

#[::egb::balanced]
pub async fn call_async(key: &str) -> ::core::result::Result<usize, ::egb::Error> {
    ::core::result::Result::Ok(key.len())
}

fn main() {
    let balancer = ::egb::Balancer::builder().key("test-key").in_memory().build().unwrap();
    let _entered = balancer.enter();
    ::std::assert_eq!(call(::std::string::String::new()).unwrap(), 8);
    let runtime = ::tokio::runtime::Builder::new_current_thread().build().unwrap();
    ::std::assert_eq!(runtime.block_on(call_async()).unwrap(), 8);
    ::std::assert_eq!(balancer.stats().successes(), 2);
}
