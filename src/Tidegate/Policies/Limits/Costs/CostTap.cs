using System.Runtime.CompilerServices;
using Tidegate.Exchanges;
using Tidegate.Transport;

namespace Tidegate.Policies.Limits.Costs;

/// <summary>An answer's content on its way to the client, and somebody who looks for its cost while it passes. Nothing is held back or kept.</summary>
internal sealed class CostTap : MessageBody
{
    private readonly MessageBody _inner;
    private readonly JsonCostScanner _scanner;
    private readonly EventCostScanner? _events;
    private long _read;

    private CostTap(MessageBody inner, JsonPointer pointer, bool hasEvents)
    {
        _inner = inner;
        _scanner = new JsonCostScanner(pointer);
        _events = hasEvents ? new EventCostScanner(_scanner) : null;
    }

    /// <summary>What was found so far; -1 for nothing.</summary>
    public long Cost => _scanner.Cost;

    /// <summary>All of the content has passed: what was found is the last word, and not that of the event before the client hung up.</summary>
    public bool IsWhole { get; private set; }

    /// <summary>The same, to the digit.</summary>
    public decimal Amount => _scanner.Amount;

    public override long? Length => _inner.Length;

    public override bool HasBytes => _inner.HasBytes;

    public override HeaderList? Trailers => _inner.Trailers;

    /// <summary>Puts one in front of an answer's content; null when that is nothing that could be read.</summary>
    public static CostTap? Put(Exchange exchange, JsonPointer pointer)
    {
        if (exchange.Outcome is not (Outcome.Forwarded or Outcome.ServedFromCache) || exchange.ResponseBody.IsEmpty)
        {
            return null;
        }

        var hasEvents = ReadableContent.IsEvents(exchange.ResponseHeaders);
        if (!hasEvents && !ReadableContent.IsJson(exchange.ResponseHeaders))
        {
            return null;
        }

        var tap = new CostTap(exchange.ResponseBody, pointer, hasEvents);
        exchange.ResponseBody = tap;
        return tap;
    }

    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder<>))]
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var read = await _inner.ReadAsync(buffer, cancellationToken);
        _read += read;
        if (_events is not null)
        {
            _events.Read(buffer.Span[..read]);

            // What ends the streams of most language models: their clients hang up when they have it, and need not wait for the end.
            IsWhole |= buffer.Span[..read].IndexOf("data: [DONE]"u8) >= 0;
        }
        else
        {
            _scanner.Read(buffer.Span[..read]);
        }

        IsWhole |= read == 0 || _read == Length;
        if (read == 0)
        {
            _scanner.End();
        }

        return read;
    }

    public override ValueTask DisposeAsync() => _inner.DisposeAsync();
}
