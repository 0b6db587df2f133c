async fn ask(&self, question: &str, opts: Opts) -> Result<String, ApiError> {
    let __lease = match ::egb::__private::Call::new(
            ::egb::__private::given(&self.pool),
            1,
        )
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
    let __attempt = |__call| {
        let __again1 = question;
        let __again2 = <Opts as ::egb::__private::Again>::again(&opts);
        async move {
            let question = __again1;
            let opts = __again2;
            let (__call, key) = ::egb::__private::give::<Key, { 1 }, _>(__call);
            let (__call, __returned) = ::egb::__private::attempt(
                    __call,
                    async move {
                        match ::core::option::Option::None::<Result<String, ApiError>> {
                            ::core::option::Option::Some(__returned) => return __returned,
                            ::core::option::Option::None => {}
                        }
                        let mut opts = opts;
                        {
                            const _: () = ();
                            opts.seen += 1;
                            self.send(key, question, opts).await
                        }
                    },
                )
                .await;
            let __verdict = {
                let __outcome = &__returned;
                <Result<
                    String,
                    ApiError,
                > as ::egb::__private::Judged>::verdict(
                    __outcome,
                    ::egb::__private::Probe::new(__outcome).ok_verdict(),
                )
            };
            (__call, __returned, __verdict)
        }
    };
    match ::egb::__private::hedged(
            __lease,
            ::egb::__private::Pace::new(1)
                .hedge(::core::time::Duration::from_nanos(800000000u64)),
            __attempt,
        )
        .await
    {
        ::core::result::Result::Ok(__outcome) => __outcome,
        ::core::result::Result::Err(__error) => {
            return <Result<
                String,
                ApiError,
            > as ::egb::__private::Refusable>::refused(__error);
        }
    }
}
