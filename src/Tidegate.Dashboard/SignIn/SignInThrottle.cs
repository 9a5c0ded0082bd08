using System.Net;
using Tidegate.Edge;

namespace Tidegate.Dashboard.SignIn;

/// <summary>
/// Makes guessing slow. After a few wrong passwords for one name from one address each further one has to wait twice as long as the one before. Whatever the names, a network has so many
/// wrong ones at once and then one every few seconds: each takes some of a core, and names can be made up. A name that has signed in from a network has some of its own there instead: behind a
/// proxy everybody may be one network, and whoever makes names up must not keep those out who are known.
/// </summary>
internal sealed class SignInThrottle(TimeProvider time)
{
    /// <summary>An office in the morning mistypes no more.</summary>
    public const int FreeOfNetwork = 20;

    /// <summary>One more than a single address has before it has to wait.</summary>
    public const int FreeOfKnown = 5;

    // Whoever mistypes does so once or twice.
    private const int FreeFailures = 4;
    private const int MaxDoublings = 6;
    private const int Capacity = 1_000;

    /// <summary>20 ms of a core every 3 s are less than a hundredth of it; somebody who forgot a password does not type faster.</summary>
    public static readonly TimeSpan EachOfNetwork = TimeSpan.FromSeconds(3);

    // Whoever waited this long begins anew.
    private static readonly TimeSpan Forgotten = TimeSpan.FromMinutes(15);

    private readonly Lock _gate = new();
    private readonly Dictionary<(string Name, string Address), (int Failures, DateTimeOffset Last)> _failures = [];

    // When each has all of its free ones again.
    private readonly Dictionary<string, DateTimeOffset> _networks = [];

    // Who has signed in, from where and when last; and when each has all of its free ones again.
    private readonly Dictionary<(string Name, string Network), (DateTimeOffset Last, DateTimeOffset Full)> _known = [];

    /// <summary>How long the next attempt has to wait. That a network's is used up is the same for every name that has not signed in from there.</summary>
    public TimeSpan Wait(string name, string address)
    {
        var (one, network) = (AddressOf(address), NetworkOf(address));
        lock (_gate)
        {
            var now = time.GetUtcNow();
            var due = now;
            if (_failures.TryGetValue((name, one), out var known) && known.Failures >= FreeFailures && now - known.Last <= Forgotten)
            {
                due = known.Last + TimeSpan.FromSeconds(1 << Math.Min(known.Failures - FreeFailures, MaxDoublings));
            }

            var (full, most) = _known.TryGetValue((name, network), out var good) ? (good.Full, FreeOfKnown) : (_networks.GetValueOrDefault(network), FreeOfNetwork);
            if (full > now && full - ((most - 1) * EachOfNetwork) is var free && free > due)
            {
                due = free;
            }

            return due > now ? due - now : TimeSpan.Zero;
        }
    }

    public void Failed(string name, string address)
    {
        var (one, network) = (AddressOf(address), NetworkOf(address));
        lock (_gate)
        {
            var now = time.GetUtcNow();
            if (_failures.Count >= Capacity && !_failures.ContainsKey((name, one)))
            {
                _failures.Remove(_failures.MinBy(known => known.Value.Last).Key);
            }

            var before = _failures.TryGetValue((name, one), out var known) && now - known.Last <= Forgotten ? known.Failures : 0;
            _failures[(name, one)] = (before + 1, now);
            if (_known.TryGetValue((name, network), out var good))
            {
                _known[(name, network)] = good with { Full = OneLess(good.Full, now, FreeOfKnown) };
                return;
            }

            if (_networks.Count >= Capacity && !_networks.ContainsKey(network))
            {
                _networks.Remove(_networks.MinBy(known => known.Value).Key);
            }

            _networks[network] = OneLess(_networks.GetValueOrDefault(network), now, FreeOfNetwork);
        }
    }

    public void Succeeded(string name, string address)
    {
        var network = NetworkOf(address);
        lock (_gate)
        {
            // What others of its network got wrong stays: whoever knows one password may guess at others.
            _failures.Remove((name, AddressOf(address)));
            if (_known.Count >= Capacity && !_known.ContainsKey((name, network)))
            {
                _known.Remove(_known.MinBy(known => known.Value.Last).Key);
            }

            var now = time.GetUtcNow();
            _known[(name, network)] = (now, now);
        }
    }

    /// <summary>Who may be one attacker: the /24 of an IPv4 address, the /64 of an IPv6 one. On loopback, where proxies are too, everybody is one.</summary>
    public static string NetworkOf(string address)
    {
        if (!IPAddress.TryParse(address, out var parsed))
        {
            return address;
        }

        var network = PeerAddress.NetworkOf(parsed);
        var bytes = network.GetAddressBytes();
        if (bytes.Length != 4)
        {
            return network.ToString();
        }

        bytes[3] = 0;
        return new IPAddress(bytes).ToString();
    }

    /// <summary>Whatever came at the same moment, the next may come as soon as one more is free.</summary>
    private static DateTimeOffset OneLess(DateTimeOffset full, DateTimeOffset now, int free)
    {
        var (next, most) = ((full > now ? full : now) + EachOfNetwork, now + (free * EachOfNetwork));
        return next < most ? next : most;
    }

    private static string AddressOf(string address) => IPAddress.TryParse(address, out var parsed) ? PeerAddress.NetworkOf(parsed).ToString() : address;
}
