//! Handles are tokens: kind (8 bits), generation (32), slot (24), typed as a pointer and never dereferenced. The registry keeps an
//! `Arc` per token; work in flight holds its own, so anything may be freed at any time. The top byte makes the pointer
//! non-canonical: an accidental dereference faults at once.

use super::arch::ArchHandle;
use super::comm::CommHandle;
use super::driver::SearchHandle;
use super::error::ErrorObject;
use super::latency::LatencyHandle;
use super::model::ModelHandle;
use super::op::OpHandle;
use super::restoring::RestorationHandle;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::space::Space;
use once_cell::sync::Lazy;
use slotmap::{Key, KeyData, SlotMap};
use std::sync::{Arc, PoisonError, RwLock};

/// What a handle may stand for.
pub enum Object {
    Error(Arc<ErrorObject>),
    Space(Arc<Space>),
    Dataset(Arc<Dataset>),
    Arch(Arc<ArchHandle>),
    Search(Arc<SearchHandle>),
    Model(Arc<ModelHandle>),
    Latency(Arc<LatencyHandle>),
    Op(Arc<OpHandle>),
    Comm(Arc<CommHandle>),
    Restoration(Arc<RestorationHandle>),
}

/// A Rust type that C sees as a pointer to the incomplete struct `C`.
pub trait Handle: Sized {
    type C;
    /// Top byte of the token; never 0 and never all ones, never reused.
    const KIND: u8;
    const NAME: &'static str;
    fn wrap(object: Arc<Self>) -> Object;
    fn unwrap(object: &Object) -> Option<&Arc<Self>>;
}

macro_rules! handles {
    ($($kind:literal $name:literal $variant:ident($type:ty) as $c:ty;)*) => {
        $(impl Handle for $type {
            type C = $c;
            const KIND: u8 = $kind;
            const NAME: &'static str = $name;
            fn wrap(object: Arc<Self>) -> Object {
                Object::$variant(object)
            }
            fn unwrap(object: &Object) -> Option<&Arc<Self>> {
                match object {
                    Object::$variant(object) => Some(object),
                    _ => None,
                }
            }
        })*

        fn kind_name(kind: u8) -> Option<&'static str> {
            match kind {
                $($kind => Some($name),)*
                _ => None,
            }
        }
    };
}

handles! {
    0x51 "error" Error(ErrorObject) as super::error::nse_error;
    0x52 "space" Space(Space) as super::space::nse_space;
    0x53 "dataset" Dataset(Dataset) as super::dataset::nse_dataset;
    0x54 "architecture" Arch(ArchHandle) as super::arch::nse_arch;
    0x55 "search" Search(SearchHandle) as super::search::nse_search;
    0x56 "model" Model(ModelHandle) as super::model::nse_model;
    0x58 "operation" Op(OpHandle) as super::op::nse_op;
    0x59 "group of ranks" Comm(CommHandle) as super::comm::nse_comm;
    0x5a "restoration" Restoration(RestorationHandle) as super::restoration::nse_restoration;
    0x57 "latency table" Latency(LatencyHandle) as super::latency::nse_latency;
}

slotmap::new_key_type! { struct Slot; }

static REGISTRY: Lazy<RwLock<SlotMap<Slot, Object>>> = Lazy::new(Default::default);

const SLOT_BITS: u32 = 24;

/// A new handle for `object`.
pub fn insert<T: Handle>(object: impl Into<Arc<T>>) -> Result<*mut T::C> {
    let mut registry = REGISTRY.write().unwrap_or_else(PoisonError::into_inner);
    if registry.len() + 1 >= 1 << SLOT_BITS {
        let reason = format!("{} objects are alive, no more are possible", registry.len());
        return Err(Error::Argument { name: T::NAME, reason });
    }
    // slotmap's form is generation << 32 | slot.
    let key = registry.insert(T::wrap(object.into())).data().as_ffi();
    let token = u64::from(T::KIND) << 56 | (key >> 32) << SLOT_BITS | (key & 0xffff_ffff);
    Ok(token as usize as *mut T::C)
}

/// The object behind a handle; `name` is the argument's.
pub fn get<T: Handle>(name: &'static str, handle: *const T::C) -> Result<Arc<T>> {
    let slot = slot::<T>(name, handle)?;
    let registry = REGISTRY.read().unwrap_or_else(PoisonError::into_inner);
    registry.get(slot).and_then(T::unwrap).cloned().ok_or_else(|| freed::<T>(name))
}

/// Takes a handle out of use. NULL is nothing; a bad handle is ignored, as there is nobody to tell.
pub fn free<T: Handle>(handle: *mut T::C) {
    let Ok(slot) = slot::<T>(T::NAME, handle) else { return };
    let mut registry = REGISTRY.write().unwrap_or_else(PoisonError::into_inner);
    let object = if registry.get(slot).and_then(T::unwrap).is_some() { registry.remove(slot) } else { None };
    drop(registry);
    // Outside the lock: dropping may run a host's `user_free`.
    drop(object);
}

fn slot<T: Handle>(name: &'static str, handle: *const T::C) -> Result<Slot> {
    let token = handle as usize as u64;
    let wrong = |reason: String| Err(Error::Handle { name, reason });
    let kind = (token >> 56) as u8;
    match kind_name(kind) {
        Some(_) if kind == T::KIND => {}
        Some(other) => return wrong(format!("this is a handle of {}, not of {}", one(other), one(T::NAME))),
        None if token == 0 => return wrong(format!("NULL is not a handle of {}", one(T::NAME))),
        None => return wrong(format!("{token:#x} is not a handle of this library")),
    }
    let generation = token >> SLOT_BITS & 0xffff_ffff;
    // slotmap counts in twos, and would take an even number for the odd one above it.
    if generation % 2 == 0 {
        return wrong(format!("{token:#x} is not a handle of this library"));
    }
    Ok(KeyData::from_ffi(generation << 32 | token & ((1 << SLOT_BITS) - 1)).into())
}

fn one(name: &str) -> String {
    format!("{} {name}", if name.starts_with(['a', 'e']) { "an" } else { "a" })
}

fn freed<T: Handle>(name: &'static str) -> Error {
    Error::Handle { name, reason: format!("this {} was freed", T::NAME) }
}
