fn ask(question: &str) -> Result<String, ApiError> {
    let __lease = match ::egb::__private::Call::new(::egb::__private::global(), 1)
        .lease()
    {
        ::core::result::Result::Ok(__lease) => __lease,
        ::core::result::Result::Err(__error) => {
            return <Result<
                String,
                ApiError,
            > as ::egb::__private::Refusable>::refused(__error);
        }
    };
    let __call = __lease;
    let (mut __call, __keys) = ::egb::__private::keys(__call);
    let __keys = &__keys;
    let __outcome = {
        ::egb::__private::with_keys(
            &mut __call,
            move || -> Result<String, ApiError> {
                let key: &Key = <&Key as ::egb::__private::Inject<
                    '_,
                    { 1 },
                >>::inject(__keys);
                {
                    const _: () = ();
                    Ok(format!("{question} {}", key.expose_secret().len()))
                }
            },
        )
    };
    ::egb::__private::end(
        __call,
        &<Result<
            String,
            ApiError,
        > as ::egb::__private::Judged>::verdict(
            &__outcome,
            ::egb::__private::Probe::new(&__outcome).ok_verdict(),
        ),
    );
    __outcome
}
