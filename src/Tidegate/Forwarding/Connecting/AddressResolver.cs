using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Tidegate.Exchanges;

namespace Tidegate.Forwarding.Connecting;

/// <summary>Names to addresses. Connections that open at the same time share one look-up, and its answer serves for a few seconds.</summary>
/// <param name="resolve">How a name is looked up.</param>
/// <param name="time">The clock.</param>
internal sealed class AddressResolver(Func<string, CancellationToken, Task<IPAddress[]>> resolve, TimeProvider time)
{
    /// <summary>The system's resolver does not tell a record's time to live. 10 s is below what providers set for names that they move, and spares a burst of connections its look-ups.</summary>
    public static readonly TimeSpan Keep = TimeSpan.FromSeconds(10);

    /// <summary>A failure is often over in a moment: kept just long enough that a burst of calls does not become a burst of look-ups.</summary>
    public static readonly TimeSpan KeepFailure = TimeSpan.FromSeconds(1);

    // In open egress clients choose the names. Beyond this many nothing more is kept until some have gone.
    private const int MaxNames = 1_000;

    private readonly ConcurrentDictionary<string, Entry> _entries = new();

    /// <summary>Names that are kept now.</summary>
    public int Count => _entries.Count;

    /// <returns>At least one address, in the order in which the system prefers them.</returns>
    /// <exception cref="ConnectException">There is none.</exception>
    public ValueTask<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken)
    {
        if (IPAddress.TryParse(host, out var literal))
        {
            return new ValueTask<IPAddress[]>([literal]);
        }

        if (_entries.TryGetValue(host, out var entry) && !entry.IsOver(time))
        {
            return new ValueTask<IPAddress[]>(entry.Addresses.IsCompleted ? entry.Addresses : entry.Addresses.WaitAsync(cancellationToken));
        }

        var fresh = new Entry(host, this);
        if (_entries.Count < MaxNames || _entries.ContainsKey(host))
        {
            _entries[host] = fresh;
        }

        return new ValueTask<IPAddress[]>(fresh.Addresses.WaitAsync(cancellationToken));
    }

    /// <summary>Forgets what is over.</summary>
    public void Sweep()
    {
        foreach (var (host, entry) in _entries)
        {
            if (entry.IsOver(time))
            {
                _entries.TryRemove(new KeyValuePair<string, Entry>(host, entry));
            }
        }
    }

    private async Task<IPAddress[]> LookUpAsync(string host)
    {
        try
        {
            // Not cancelled by any one caller: the others wait for the same answer.
            var addresses = await resolve(host, CancellationToken.None);
            return addresses.Length > 0 ? addresses : throw new ConnectException(FailureKind.DnsFailed, null);
        }
        catch (Exception unknown) when (unknown is SocketException or ArgumentException)
        {
            throw new ConnectException(FailureKind.DnsFailed, unknown);
        }
    }

    private sealed class Entry
    {
        private long _endedAt;

        public Entry(string host, AddressResolver resolver)
        {
            Addresses = RunAsync(host, resolver);
        }

        public Task<IPAddress[]> Addresses { get; }

        public bool IsOver(TimeProvider time) =>
            Addresses.IsCompleted && time.GetElapsedTime(Volatile.Read(ref _endedAt)) >= (Addresses.IsCompletedSuccessfully ? Keep : KeepFailure);

        private async Task<IPAddress[]> RunAsync(string host, AddressResolver resolver)
        {
            try
            {
                return await resolver.LookUpAsync(host);
            }
            finally
            {
                Volatile.Write(ref _endedAt, resolver.Clock.GetTimestamp());
            }
        }
    }

    private TimeProvider Clock => time;
}
