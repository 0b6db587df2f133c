fn ask(&mut self, text: String) -> Result<(), E> {
    static __SITE: ::egb::__private::Site = ::egb::__private::Site::new("gemini");
    let mut __lease = match ::egb::__private::Call::new(__SITE.balancer(), 1).lease() {
        ::core::result::Result::Ok(__lease) => __lease,
        ::core::result::Result::Err(__error) => {
            return <Result<(), E> as ::egb::__private::Refusable>::refused(__error);
        }
    };
    let __outcome = loop {
        let __call = __lease;
        let (mut __call, __keys) = ::egb::__private::keys(__call);
        let __keys = &__keys;
        let __outcome = {
            let __again1 = <String as ::egb::__private::Again>::again(&text);
            ::egb::__private::with_keys(
                &mut __call,
                || -> Result<(), E> {
                    let key: String = <String as ::egb::__private::Inject<
                        '_,
                        { 1 },
                    >>::inject(__keys);
                    let text = __again1;
                    let mut text = text;
                    {
                        const _: () = ();
                        text.push_str(&key);
                        self.send(text)
                    }
                },
            )
        };
        match ::egb::__private::next(
            __call,
            &<Result<
                (),
                E,
            > as ::egb::__private::Judged>::verdict(
                &__outcome,
                ::egb::__private::Probe::new(&__outcome).ok_verdict(),
            ),
            ::egb::__private::Pace::new(N_2)
                .backoff(
                    (::core::time::Duration::from_nanos(
                        1000000000u64,
                    ))..(::core::time::Duration::from_nanos(1000000000u64)),
                ),
        ) {
            ::core::option::Option::Some(__next) => __lease = __next,
            ::core::option::Option::None => break __outcome,
        }
    };
    let __again1 = text;
    __outcome
}
