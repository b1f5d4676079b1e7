// Neural architecture search: the C++17 face of nse.h. Header-only; link libnse.
//
// Names     nse_noun_verb is nse::Noun::verb and means the same: nse.h is the manual. Options and descriptions are JSON text.
// Objects   Move-only owners of a C handle. They keep alive what they use: destroy them in any order. Calls of an empty or
//           moved-from object, or with one, fail with NSE_ERR_INVALID_HANDLE.
// Errors    Every failing call throws nse::Error. With -fno-exceptions, or NSE_RESULTS defined as 1, it returns one: what gives a T
//           here gives an nse::Result<T> there (Outcome<T> means one or the other), and constructors are `Search::create`.
// Callbacks Anything callable with `const nse::Event &`. It returns void, or bool: true cancels. It runs on the calling thread,
//           inside the call that works. What it throws cancels that call, and is thrown again by it. So it is with the function
//           that writes images for Dataset::from_source.
// Threads   As in nse.h: one call at a time works on a search or a model; getters and cancel never wait. Moving, resetting or
//           destroying an object while another thread uses it is a data race, as with any C++ object.
#ifndef NSE_NSE_HPP
#define NSE_NSE_HPP

#include <nse/arch.hpp>
#include <nse/comm.hpp>
#include <nse/dataset.hpp>
#include <nse/error.hpp>
#include <nse/event.hpp>
#include <nse/latency.hpp>
#include <nse/library.hpp>
#include <nse/log.hpp>
#include <nse/model.hpp>
#include <nse/op.hpp>
#include <nse/parts.hpp>
#include <nse/picture.hpp>
#include <nse/push.hpp>
#include <nse/restoration.hpp>
#include <nse/result.hpp>
#include <nse/search.hpp>
#include <nse/space.hpp>
#include <nse/told.hpp>

#endif
