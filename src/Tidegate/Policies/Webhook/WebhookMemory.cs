namespace Tidegate.Policies.Webhook;

/// <summary>Which webhooks have come already, and how much of them is held while they are verified. One for all routes; outlives a configuration.</summary>
internal sealed class WebhookMemory(TimeProvider time)
{
    // 4 MB. With five minutes each that is 200 in a second; with more, the oldest may come again.
    private const int MaxRemembered = 64 * 1024;

    // Whoever has no key can make us hold content for as long as it takes to send it.
    private const long MaxHeldBytes = 64 << 20;

    private readonly Lock _gate = new();
    private readonly Dictionary<WebhookDelivery, DateTimeOffset> _seen = [];
    private readonly Queue<WebhookDelivery> _order = [];
    private long _held;

    /// <summary>Takes room for content; false when there is none.</summary>
    public bool TryHold(long bytes)
    {
        if (Interlocked.Add(ref _held, bytes) <= MaxHeldBytes)
        {
            return true;
        }

        Release(bytes);
        return false;
    }

    public void Release(long bytes) => Interlocked.Add(ref _held, -bytes);

    /// <summary>Remembers a delivery; false when it has come before.</summary>
    /// <param name="delivery">What came, and where.</param>
    /// <param name="until">From when on it would be refused for its age.</param>
    public bool TryRemember(WebhookDelivery delivery, DateTimeOffset until)
    {
        var now = time.GetUtcNow();
        lock (_gate)
        {
            while (_order.TryPeek(out var oldest) && (_order.Count >= MaxRemembered || !_seen.TryGetValue(oldest, out var end) || end <= now))
            {
                _order.Dequeue();
                _seen.Remove(oldest);
            }

            if (_seen.TryGetValue(delivery, out var known) && known > now)
            {
                return false;
            }

            _seen[delivery] = until;
            _order.Enqueue(delivery);
            return true;
        }
    }

    /// <summary>It did not reach the service: the provider sends it again.</summary>
    public void Forget(WebhookDelivery delivery)
    {
        lock (_gate)
        {
            _seen.Remove(delivery);
        }
    }
}

/// <summary>One webhook at one route: a provider may send the same, with the same signature, to several.</summary>
/// <param name="Signature">A part of it that no two share.</param>
/// <param name="Api">The route's API.</param>
/// <param name="Endpoint">Its endpoint.</param>
internal readonly record struct WebhookDelivery(UInt128 Signature, string Api, string Endpoint);
