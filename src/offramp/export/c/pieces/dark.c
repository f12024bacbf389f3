/* Most words of a drawing are dark; a compiler that knows computes nothing ahead of the question. */
#if defined(__GNUC__)
#define LIKELY(condition) __builtin_expect(condition, 1)
#else
#define LIKELY(condition) (condition)
#endif
