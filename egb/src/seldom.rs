//! What few keys of a large pool have, and what is therefore kept elsewhere: for the others it takes a pointer.

use std::fmt;
use std::ops::{Deref, DerefMut};

/// A value that is made by the first write to it. Until then it reads as [`Blank::BLANK`].
#[derive(Clone)]
pub(crate) struct Seldom<T>(Option<Box<T>>);

/// What a [`Seldom`] reads as that was never written.
pub(crate) trait Blank: Default + 'static {
    /// The same as the default.
    const BLANK: &'static Self;
}

impl<T> Seldom<T> {
    /// One that reads as blank.
    pub(crate) const BLANK: Self = Self(None);
}

impl<T: Blank> Seldom<T> {
    /// The value if there is one, for a change that would be none where it is blank.
    #[inline]
    pub(crate) fn known_mut(&mut self) -> Option<&mut T> {
        self.0.as_deref_mut()
    }
}

impl<T> Default for Seldom<T> {
    fn default() -> Self {
        Self::BLANK
    }
}

impl<T: Blank + PartialEq> From<T> for Seldom<T> {
    fn from(value: T) -> Self {
        Self((value != *T::BLANK).then(|| Box::new(value)))
    }
}

impl<T: Blank> Deref for Seldom<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.0.as_deref().unwrap_or(T::BLANK)
    }
}

impl<T: Blank> DerefMut for Seldom<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.get_or_insert_default()
    }
}

impl<T: Blank + PartialEq> PartialEq for Seldom<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Blank + fmt::Debug> fmt::Debug for Seldom<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, Default, PartialEq)]
    struct Count {
        of: u32,
    }

    impl Blank for Count {
        const BLANK: &'static Self = &Self { of: 0 };
    }

    #[test]
    fn it_is_made_by_the_first_write() {
        let mut seldom = Seldom::from(Count { of: 0 });
        assert_eq!(seldom.of, 0);
        assert!(seldom.known_mut().is_none(), "reading it does not make it");
        seldom.of = 0;
        assert!(seldom.known_mut().is_some());
        assert_eq!((&seldom, seldom.clone()), (&Seldom::BLANK, Seldom::from(Count { of: 0 })));
        seldom.of += 3;
        assert_eq!(seldom, Count { of: 3 }.into());
        assert_eq!(size_of::<Seldom<Count>>(), size_of::<usize>());
    }
}
