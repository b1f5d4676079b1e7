// How this unit hears of failures: exceptions, or values.
//
//     exceptions                        every failing call throws nse::Error
//     -fno-exceptions, or NSE_RESULTS=1 every call that can fail returns nse::Result
//
// The same functions under the same names, from the same source. Units of different kinds can be linked into one program: each kind
// has an inline namespace of its own, so an object of one is not handed to another unnoticed (its C handle can be: `release`).
#ifndef NSE_CONFIG_HPP
#define NSE_CONFIG_HPP

#ifndef NSE_RESULTS
#ifdef __cpp_exceptions
#define NSE_RESULTS 0
#else
#define NSE_RESULTS 1
#endif
#endif

#if !NSE_RESULTS && !defined(__cpp_exceptions)
#error "NSE_RESULTS=0 needs exceptions"
#endif

#if !NSE_RESULTS
#define NSE_INLINE_NAMESPACE v1
#elif defined(__cpp_exceptions)
#define NSE_INLINE_NAMESPACE v1_results
#else
#define NSE_INLINE_NAMESPACE v1_noexcept
#endif

#endif
