using System.Net;
using Tidegate.Edge;

namespace Tidegate.Dashboard.SignIn;

/// <summary>Makes guessing slow: after a few wrong passwords for one name from one address each further one has to wait twice as long as the one before.</summary>
internal sealed class SignInThrottle(TimeProvider time)
{
    // Whoever mistypes does so once or twice.
    private const int FreeFailures = 4;
    private const int MaxDoublings = 6;
    private const int Capacity = 1_000;

    // Whoever waited this long begins anew.
    private static readonly TimeSpan Forgotten = TimeSpan.FromMinutes(15);

    private readonly Lock _gate = new();
    private readonly Dictionary<(string Name, string Address), (int Failures, DateTimeOffset Last)> _failures = [];

    /// <summary>How long the next attempt has to wait.</summary>
    public TimeSpan Wait(string name, string address)
    {
        address = NetworkOf(address);
        lock (_gate)
        {
            var now = time.GetUtcNow();
            if (!_failures.TryGetValue((name, address), out var known) || known.Failures < FreeFailures || now - known.Last > Forgotten)
            {
                return TimeSpan.Zero;
            }

            var due = known.Last + TimeSpan.FromSeconds(1 << Math.Min(known.Failures - FreeFailures, MaxDoublings));
            return due > now ? due - now : TimeSpan.Zero;
        }
    }

    public void Failed(string name, string address)
    {
        address = NetworkOf(address);
        lock (_gate)
        {
            var now = time.GetUtcNow();
            if (_failures.Count >= Capacity && !_failures.ContainsKey((name, address)))
            {
                _failures.Remove(_failures.MinBy(known => known.Value.Last).Key);
            }

            var before = _failures.TryGetValue((name, address), out var known) && now - known.Last <= Forgotten ? known.Failures : 0;
            _failures[(name, address)] = (before + 1, now);
        }
    }

    public void Succeeded(string name, string address)
    {
        address = NetworkOf(address);
        lock (_gate)
        {
            _failures.Remove((name, address));
        }
    }

    private static string NetworkOf(string address) => IPAddress.TryParse(address, out var parsed) ? PeerAddress.NetworkOf(parsed).ToString() : address;
}
