// Throws through routines, and ends threads in them; prints what did not arrive.

#include <cstdio>
#include <initializer_list>
#include <pthread.h>

extern "C" long in_routine(void (*)(), long);
extern "C" long in_six(void (*)(), long);
extern "C" long in_plain(void (*)(), long);

static void thrower() { throw 7; }
static void leaver() { pthread_exit(nullptr); }

typedef long (*routine)(void (*)(), long);

// Values in registers that calls keep, across the exception.
__attribute__((noinline)) static bool caught(routine call, long a, long b, long c, long d, long e) {
    long before = a * b + c * d + e;
    try {
        call(thrower, 1);
    } catch (int number) {
        return number == 7 && before == a * b + c * d + e;
    }
    return false;
}

struct Gone {
    bool &gone;
    ~Gone() { gone = true; }
};

static routine leaving;
static bool gone;

static void *thread(void *) {
    Gone guard{gone};
    leaving(leaver, 1);
    return nullptr;
}

int main() {
    for (routine call : {in_routine, in_six, in_plain}) {
        if (!caught(call, 2, 3, 5, 7, 11)) std::puts("an exception was lost");
        leaving = call;
        gone = false;
        pthread_t id;
        pthread_create(&id, nullptr, thread, nullptr);
        pthread_join(id, nullptr);
        if (!gone) std::puts("a thread ended without its destructors");
    }
    std::puts("done");
}
