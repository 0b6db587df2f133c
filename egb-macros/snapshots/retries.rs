async fn ask(question: &str, __arg1: (u8, Opts)) -> Result<String, ApiError> {
    let mut __lease = match ::egb::__private::Call::new(::egb::__private::global(), 1)
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
    loop {
        let __call = __lease;
        let __again0 = question;
        let __again1 = <(u8, Opts) as ::egb::__private::Again>::again(&__arg1);
        let question = __again0;
        let (a, b) = ::core::convert::identity(__again1);
        let (__call, __keys) = ::egb::__private::keys(__call);
        let key: &Key = <&Key as ::egb::__private::Inject<'_, { 1 }>>::inject(&__keys);
        match ::egb::__private::run(
                __call,
                async move {
                    match ::core::option::Option::None::<Result<String, ApiError>> {
                        ::core::option::Option::Some(__returned) => return __returned,
                        ::core::option::Option::None => {}
                    }
                    {
                        const _: () = ();
                        send(key, question, a, b).await
                    }
                },
                move |__call, __outcome| ::egb::__private::next_async(
                    __call,
                    &<Result<
                        String,
                        ApiError,
                    > as ::egb::__private::Judged>::verdict(
                        __outcome,
                        ::egb::__private::Probe::new(__outcome).ok_verdict(),
                    ),
                    ::egb::__private::Pace::new(2),
                ),
            )
            .await
        {
            ::egb::__private::Step::Done(__outcome) => break __outcome,
            ::egb::__private::Step::Again(__again) => __lease = __again,
        }
    }
}
