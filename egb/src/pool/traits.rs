//! What is always known of a key beside its numbers, in one word: its group, and some marks.

use super::quota::GroupId;

#[derive(Clone, Copy, Default)]
pub(super) struct Traits(u32);

const WATCHED: u32 = 1 << 31;
const CHANGED: u32 = 1 << 30;
const COUNTED: u32 = 1 << 29;
const _: () = assert!(GroupId::LAST & (WATCHED | CHANGED | COUNTED) == 0);

impl Traits {
    #[inline]
    pub(super) fn group(self) -> Option<GroupId> {
        GroupId::new(self.0 & GroupId::LAST)
    }

    pub(super) fn set_group(&mut self, group: Option<GroupId>) {
        self.0 = self.0 & !GroupId::LAST | group.map_or(0, GroupId::number);
    }

    /// Whether calls have to report their end under the lock, for the sake of a limit.
    pub(super) fn is_watched(self) -> bool {
        self.0 & WATCHED != 0
    }

    pub(super) fn set_watched(&mut self, watched: bool) {
        self.set(WATCHED, watched);
    }

    /// Whether the health for all calls changed since it was handed to the writer.
    pub(super) fn is_changed(self) -> bool {
        self.0 & CHANGED != 0
    }

    pub(super) fn set_changed(&mut self, changed: bool) {
        self.set(CHANGED, changed);
    }

    /// Whether there is a limit that its uses count against, or one to be learned. Said here because what is said of limits
    /// is far from the processor in a large pool.
    #[inline]
    pub(super) fn is_counted(self) -> bool {
        self.0 & COUNTED != 0
    }

    pub(super) fn set_counted(&mut self, counted: bool) {
        self.set(COUNTED, counted);
    }

    fn set(&mut self, mark: u32, on: bool) {
        self.0 = if on { self.0 | mark } else { self.0 & !mark };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_and_the_marks_do_not_touch_one_another() {
        let mut traits = Traits::default();
        let read = |traits: Traits| {
            let marks = [traits.is_watched(), traits.is_changed(), traits.is_counted()];
            (traits.group().map(GroupId::number), marks)
        };
        assert_eq!(read(traits), (None, [false; 3]));
        traits.set_group(GroupId::new(GroupId::LAST));
        assert_eq!(read(traits), (Some(GroupId::LAST), [false; 3]));
        traits.set_watched(true);
        assert_eq!(read(traits), (Some(GroupId::LAST), [true, false, false]));
        traits.set_changed(true);
        traits.set_watched(false);
        traits.set_group(GroupId::new(7));
        assert_eq!(read(traits), (Some(7), [false, true, false]));
        traits.set_counted(true);
        traits.set_changed(false);
        traits.set_group(None);
        assert_eq!(read(traits), (None, [false, false, true]));
        traits.set_counted(false);
        assert_eq!(read(traits), (None, [false; 3]));
    }
}
