using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace Tidegate.Policies.Webhook;

/// <summary>Which webhooks have come already, and how much of them is held while they are verified. One for all routes; outlives a configuration.</summary>
internal sealed class WebhookMemory(TimeProvider time)
{
    // 2 MB. With five minutes each that is 200 in a second; with more, the oldest may come again.
    private const int MaxRemembered = 64 * 1024;

    // Whoever has no key can make us hold content for as long as it takes to send it.
    private const long MaxHeldBytes = 64 << 20;

    // One client, which may be the provider's only address, leaves the others half of it. The largest content fits in, twice while it grows.
    private const long MaxHeldBytesOfOne = MaxHeldBytes / 2;

    private readonly Lock _gate = new();
    private readonly Dictionary<UInt128, long> _heldBy = [];
    private readonly Dictionary<UInt128, DateTimeOffset> _seen = [];
    private readonly Queue<UInt128> _order = [];
    private long _held;

    /// <summary>Takes room for content; false when there is none, or the client has its share already.</summary>
    public bool TryHold(IPAddress client, long bytes)
    {
        var key = KeyOf(client);
        lock (_gate)
        {
            var heldByClient = _heldBy.GetValueOrDefault(key) + bytes;
            if (_held + bytes > MaxHeldBytes || heldByClient > MaxHeldBytesOfOne)
            {
                return false;
            }

            _held += bytes;
            _heldBy[key] = heldByClient;
            return true;
        }
    }

    public void Release(IPAddress client, long bytes)
    {
        if (bytes == 0)
        {
            return;
        }

        var key = KeyOf(client);
        lock (_gate)
        {
            _held -= bytes;
            var left = _heldBy[key] - bytes;
            if (left == 0)
            {
                _heldBy.Remove(key);
            }
            else
            {
                _heldBy[key] = left;
            }
        }
    }

    /// <summary>Of IPv6 the /64, all of which a subscriber has (RFC 6177).</summary>
    private static UInt128 KeyOf(IPAddress client)
    {
        Span<byte> bytes = stackalloc byte[16];
        client.TryWriteBytes(bytes, out var length);
        var isNetwork = client.AddressFamily == AddressFamily.InterNetworkV6 && !client.IsIPv4MappedToIPv6;
        bytes[(isNetwork ? 8 : length)..].Clear();
        return BinaryPrimitives.ReadUInt128BigEndian(bytes);
    }

    /// <summary>Remembers a signature; false when it has come before.</summary>
    /// <param name="signature">A part of it that no two share.</param>
    /// <param name="until">From when on it would be refused for its age.</param>
    public bool TryRemember(UInt128 signature, DateTimeOffset until)
    {
        var now = time.GetUtcNow();
        lock (_gate)
        {
            while (_order.TryPeek(out var oldest) && (_order.Count >= MaxRemembered || !_seen.TryGetValue(oldest, out var end) || end <= now))
            {
                _order.Dequeue();
                _seen.Remove(oldest);
            }

            if (_seen.TryGetValue(signature, out var known) && known > now)
            {
                return false;
            }

            _seen[signature] = until;
            _order.Enqueue(signature);
            return true;
        }
    }

    /// <summary>It did not reach the service: the provider sends it again.</summary>
    public void Forget(UInt128 signature)
    {
        lock (_gate)
        {
            _seen.Remove(signature);
        }
    }
}
