async fn ask(&self, model: &str, session: u64) -> Result<String, ApiError> {
    let (__checkout, __deadline) = crate::sdk::egb::__private::Call::new(
            crate::sdk::egb::__private::given(&self.pool),
            2,
        )
        .scope(&model)
        .affinity(&session)
        .wait(::core::time::Duration::from_nanos(5000000000u64))
        .deadline(::core::time::Duration::from_nanos(30000000000u64));
    let mut __lease = match __checkout.lease_async().await {
        ::core::result::Result::Ok(__lease) => __lease,
        ::core::result::Result::Err(__error) => {
            return <Result<
                String,
                ApiError,
            > as crate::sdk::egb::__private::Refusable>::refused(__error);
        }
    };
    let __pace = crate::sdk::egb::__private::Pace::new(self.retries)
        .backoff(
            (::core::time::Duration::from_nanos(
                100000000u64,
            ))..(::core::time::Duration::from_nanos(2000000000u64)),
        )
        .wait(::core::time::Duration::from_nanos(5000000000u64))
        .until(__deadline);
    loop {
        let __call = __lease;
        let __again1 = model;
        let __again2 = <u64 as crate::sdk::egb::__private::Again>::again(&session);
        let model = __again1;
        let _ = model;
        let session = __again2;
        let _ = session;
        let (__call, keys) = crate::sdk::egb::__private::give::<
            [Key; 2],
            { 2 },
            _,
        >(__call);
        match match crate::sdk::egb::__private::in_time(
                __deadline,
                crate::sdk::egb::__private::run(
                    __call,
                    async move {
                        match ::core::option::Option::None::<Result<String, ApiError>> {
                            ::core::option::Option::Some(__returned) => return __returned,
                            ::core::option::Option::None => {}
                        }
                        {
                            const _: () = ();
                            self.send(&keys, model, session).await
                        }
                    },
                    move |__call, __outcome| crate::sdk::egb::__private::next_async(
                        __call,
                        &crate::sdk::egb::__private::classified(judge(__outcome)),
                        __pace,
                    ),
                ),
            )
            .await
        {
            ::core::result::Result::Ok(__step) => __step,
            ::core::result::Result::Err(__error) => {
                return <Result<
                    String,
                    ApiError,
                > as crate::sdk::egb::__private::Refusable>::refused(__error);
            }
        } {
            crate::sdk::egb::__private::Step::Done(__outcome) => break __outcome,
            crate::sdk::egb::__private::Step::Again(__again) => __lease = __again,
        }
    }
}
