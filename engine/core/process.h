// What a program that trains does first in main(). For app/ only.
#pragma once

namespace wiregrad {

/// Makes threads that wait for each other give up the core soon, so that a busy machine does not
/// slow a step many times over. OpenMP reads this before main(), so the program is started once
/// more in place with GOMP_SPINCOUNT set; a user's own GOMP_SPINCOUNT or OMP_WAIT_POLICY stays.
/// First line of main(), `argv` as given there. Other processes (tests, Python) set the variable
/// themselves.
void wait_politely(char** argv);

} // namespace wiregrad
