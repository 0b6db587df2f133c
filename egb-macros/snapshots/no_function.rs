struct Client {
    pool: Balancer,
}
::core::compile_error! {
    "`#[balanced]` belongs on a function or method with a body, not on a struct"
}
