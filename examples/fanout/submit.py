"""Cut work into many jobs, submit them in one call, gather the results in order."""

import os

import zerog

BELOW, STEP = 20_000, 1_000


def main() -> None:
    parts = [
        {"type": "PrimesBetween", "parameters": {"low": low, "high": low + STEP}}
        for low in range(0, BELOW, STEP)
    ]
    with zerog.Client(os.environ.get("ZEROG_URL", "http://127.0.0.1:8080")) as client:
        uuids = client.submit_many(parts)  # all or none; up to 1,000 in a call
        # A failed part raises JobFailedError here; the others go on.
        primes = [prime for uuid in uuids for prime in client.result(uuid, timeout=120)]
    print(f"{len(parts)} jobs found {len(primes)} primes below {BELOW}, the last is {primes[-1]}")


if __name__ == "__main__":
    main()
