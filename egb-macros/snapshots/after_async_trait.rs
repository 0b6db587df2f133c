fn ask<'life0, 'async_trait>(
    &'life0 self,
    session: u64,
) -> ::core::pin::Pin<
    Box<
        dyn ::core::future::Future<
            Output = Result<String, E>,
        > + ::core::marker::Send + 'async_trait,
    >,
>
where
    'life0: 'async_trait,
    Self: 'async_trait,
{
    Box::pin(async move {
        let mut __lease = match ::egb::__private::Call::new(
                ::egb::__private::global(),
                1,
            )
            .affinity(&session)
            .lease()
        {
            ::core::result::Result::Ok(__lease) => __lease,
            ::core::result::Result::Err(__error) => {
                return <Result<
                    String,
                    E,
                > as ::egb::__private::Refusable>::refused(__error);
            }
        };
        loop {
            let __call = __lease;
            let __again1 = <u64 as ::egb::__private::Again>::again(&session);
            let session = __again1;
            let _ = session;
            let (__call, __keys) = ::egb::__private::keys(__call);
            let key: &Key = <&Key as ::egb::__private::Inject<
                '_,
                { 1 },
            >>::inject(&__keys);
            match ::egb::__private::run(
                    __call,
                    async move {
                        match ::core::option::Option::None::<Result<String, E>> {
                            ::core::option::Option::Some(__returned) => return __returned,
                            ::core::option::Option::None => {}
                        }
                        {
                            const _: () = ();
                            let __self = self;
                            let key = key;
                            let session = session;
                            let _ = session;
                            __self.send(key).await
                        }
                    },
                    move |__call, __outcome| ::egb::__private::next_async(
                        __call,
                        &<Result<
                            String,
                            E,
                        > as ::egb::__private::Judged>::verdict(
                            __outcome,
                            ::egb::__private::Probe::new(__outcome).ok_verdict(),
                        ),
                        ::egb::__private::Pace::new(1),
                    ),
                )
                .await
            {
                ::egb::__private::Step::Done(__outcome) => break __outcome,
                ::egb::__private::Step::Again(__again) => __lease = __again,
            }
        }
    })
}
