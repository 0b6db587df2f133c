async fn ask() -> Result<(), E> {
    let __lease = match ::egb::__private::Call::new(::egb::__private::global(), 1)
        .lease()
    {
        ::core::result::Result::Ok(__lease) => __lease,
        ::core::result::Result::Err(__error) => {
            return <Result<(), E> as ::egb::__private::Refusable>::refused(__error);
        }
    };
    let __call = __lease;
    let (__call, key) = ::egb::__private::give::<Key, { 1 }, _>(__call);
    match ::egb::__private::run(
            __call,
            async move {
                match ::core::option::Option::None::<Result<(), E>> {
                    ::core::option::Option::Some(__returned) => return __returned,
                    ::core::option::Option::None => {}
                }
                {
                    const _: () = ();
                    Ok(())
                }
            },
            move |__call, __outcome| ::egb::__private::end_async(
                __call,
                &<Result<
                    (),
                    E,
                > as ::egb::__private::Judged>::verdict(
                    __outcome,
                    ::egb::__private::Probe::new(__outcome).ok_verdict(),
                ),
            ),
        )
        .await
    {
        ::egb::__private::Step::Done(__outcome) => __outcome,
        ::egb::__private::Step::Again(__again) => match __again {}
    }
}
::core::compile_error! {
    "unknown option `retires`; did you mean `retries`?"
}
::core::compile_error! {
    "`keys` is at least 1"
}
