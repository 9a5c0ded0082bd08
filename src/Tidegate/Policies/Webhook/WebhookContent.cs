using System.Net;
using Tidegate.Exchanges;

namespace Tidegate.Policies.Webhook;

/// <summary>
/// A webhook's content, held until its signature says something of it. Anybody can send it, as slowly as he likes: of the room that all share it takes what it has grown to,
/// whatever it announces and however small its pieces are.
/// </summary>
internal sealed class WebhookContent(WebhookMemory memory, IPAddress client, long maxBytes) : IDisposable
{
    private const int FirstBytes = 8 * 1024;

    // Larger ones take all that they may need at once: in between there would be two large ones.
    private const int DoublingBytes = 4 << 20;

    private byte[] _buffer = [];
    private int _length;

    /// <summary>What has come.</summary>
    public ReadOnlyMemory<byte> Memory => _buffer.AsMemory(0, _length);

    /// <summary>Reads to the end.</summary>
    public async ValueTask<WebhookContentResult> ReadAsync(MessageBody body, CancellationToken aborted)
    {
        if (body.Length > maxBytes)
        {
            return WebhookContentResult.TooLarge;
        }

        // One more, which is where the end shows.
        var largest = (int)Math.Min(body.Length ?? maxBytes, maxBytes) + 1;
        int read;
        do
        {
            if (_length == _buffer.Length && !TryGrow(largest))
            {
                return WebhookContentResult.NoRoom;
            }

            read = await body.ReadAsync(_buffer.AsMemory(_length), aborted);
            _length += read;
            if (_length == largest)
            {
                return WebhookContentResult.TooLarge;
            }
        }
        while (read > 0);

        return WebhookContentResult.Whole;
    }

    public void Dispose()
    {
        memory.Release(client, _buffer.Length);
        _buffer = [];
        _length = 0;
    }

    private bool TryGrow(int largest)
    {
        var next = _buffer.Length < DoublingBytes ? Math.Min(largest, Math.Max(FirstBytes, _buffer.Length * 2)) : largest;
        if (!memory.TryHold(client, next))
        {
            return false;
        }

        var larger = new byte[next];
        _buffer.AsSpan(0, _length).CopyTo(larger);
        memory.Release(client, _buffer.Length);
        _buffer = larger;
        return true;
    }
}

/// <summary>What became of a webhook's content.</summary>
internal enum WebhookContentResult
{
    Whole,

    /// <summary>Larger than it may be.</summary>
    TooLarge,

    /// <summary>Too much is held already, by all or by this client.</summary>
    NoRoom,
}
