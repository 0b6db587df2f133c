pub async fn ask(question: &str) -> Result<String, ApiError> {
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
    let (__call, key) = ::egb::__private::give::<Key, { 1 }, _>(__call);
    match ::egb::__private::run(
            __call,
            async move {
                match ::core::option::Option::None::<Result<String, ApiError>> {
                    ::core::option::Option::Some(__returned) => return __returned,
                    ::core::option::Option::None => {}
                }
                {
                    const _: () = ();
                    send(&key, question).await
                }
            },
            move |__call, __outcome| ::egb::__private::end_async(
                __call,
                &<Result<
                    String,
                    ApiError,
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
