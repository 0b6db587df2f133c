fn ask<'param, 'place, 'a, T: Ask<'param>, U>(
    text: &'a str,
    (value, other): (T, U),
) -> Result<&'a str, E>
where
    'a: 'place,
    T:,
    U: Ask<'place>,
{
    let __lease = match ::egb::__private::Call::new(::egb::__private::global(), 1)
        .lease()
    {
        ::core::result::Result::Ok(__lease) => __lease,
        ::core::result::Result::Err(__error) => {
            return <Result<&'a str, E> as ::egb::__private::Refusable>::refused(__error);
        }
    };
    let __call = __lease;
    let (mut __call, __keys) = ::egb::__private::keys(__call);
    let __keys = &__keys;
    let __outcome = {
        ::egb::__private::with_keys(
            &mut __call,
            move || -> Result<&'a str, E> {
                let key: &Keys<'param, 'place> = <&Keys<
                    'param,
                    'place,
                > as ::egb::__private::Inject<'_, { 1 }>>::inject(__keys);
                {
                    const _: () = ();
                    Ok(text)
                }
            },
        )
    };
    ::egb::__private::end(
        __call,
        &<Result<
            &'a str,
            E,
        > as ::egb::__private::Judged>::verdict(
            &__outcome,
            ::egb::__private::Probe::new(&__outcome).ok_verdict(),
        ),
    );
    __outcome
}
