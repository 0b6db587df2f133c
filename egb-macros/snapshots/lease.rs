async fn tokens(prompt: String) -> Result<impl Stream<Item = Token>, ApiError> {
    let __lease = match ::egb::__private::Call::new(::egb::__private::global(), 1)
        .lease()
    {
        ::core::result::Result::Ok(__lease) => __lease,
        ::core::result::Result::Err(__error) => {
            return <Result<_, ApiError> as ::egb::__private::Refusable>::refused(__error);
        }
    };
    let __call = __lease;
    let (__call, __given) = ::egb::__private::lend(__call);
    let lease: Lease = __given;
    match ::egb::__private::run(
            __call,
            async move {
                match ::core::option::Option::None::<Result<_, ApiError>> {
                    ::core::option::Option::Some(__returned) => return __returned,
                    ::core::option::Option::None => {}
                }
                {
                    const _: () = ();
                    let answer = send(lease.key(), prompt).await?;
                    Ok(lease.attach(answer))
                }
            },
            move |__call, __outcome| ::egb::__private::end_async(
                __call,
                &<Result<
                    _,
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
