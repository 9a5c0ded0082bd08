using System.Runtime.CompilerServices;
using Tidegate.Exchanges;
using Tidegate.Policies.Limits.Costs;
using Tidegate.Policies.Limits.Signals;
using Tidegate.Transport;

namespace Tidegate.Policies.Limits.Learning;

/// <summary>An answer's content on its way to the client, and what it says of a window, which is learned when it is over. Nothing is held back or kept.</summary>
internal sealed class ContentSignal : MessageBody, IAnswerEnding
{
    private readonly MessageBody _inner;
    private readonly JsonCostScanner[] _scanners;

    private ContentSignal(MessageBody inner, WindowContent content)
    {
        _inner = inner;
        _scanners = [new(content.Limit), new(content.Remaining), new(content.PerSecond), .. content.Charged is { } charged ? [new JsonCostScanner(charged)] : (JsonCostScanner[])[]];
    }

    private LearnedWindow Window { get; init; } = null!;

    private UInt128 Key { get; init; }

    private long Taken { get; init; }

    private long Sent { get; init; }

    private TimeProvider Time { get; init; } = null!;

    private LimitQueue? Queue { get; init; }

    public override long? Length => _inner.Length;

    public override bool HasBytes => _inner.HasBytes;

    public override HeaderList? Trailers => _inner.Trailers;

    /// <summary>Puts one in front of an answer's content.</summary>
    /// <param name="exchange">With the answer.</param>
    /// <param name="window">What its content tells of.</param>
    /// <param name="key">The window's count, for which others may wait.</param>
    /// <param name="taken">What the exchange has taken of it.</param>
    /// <param name="sent">When the exchange was sent, as a timestamp.</param>
    /// <param name="time">The clock.</param>
    /// <param name="queue">Where others wait; null where nobody does.</param>
    /// <returns>False when the content is nothing that could be read.</returns>
    public static bool TryPut(Exchange exchange, LearnedWindow window, UInt128 key, long taken, long sent, TimeProvider time, LimitQueue? queue)
    {
        if (exchange.ResponseBody.IsEmpty || !ReadableContent.IsJson(exchange.ResponseHeaders))
        {
            return false;
        }

        var signal = new ContentSignal(exchange.ResponseBody, window.Content!) { Window = window, Key = key, Taken = taken, Sent = sent, Time = time, Queue = queue };
        exchange.ResponseBody = signal;
        exchange.WhenAnswerEnds(signal);
        return true;
    }

    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder<>))]
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var read = await _inner.ReadAsync(buffer, cancellationToken);
        foreach (var scanner in _scanners)
        {
            scanner.Read(buffer.Span[..read]);
        }

        return read;
    }

    public override ValueTask DisposeAsync() => _inner.DisposeAsync();

    void IAnswerEnding.AnswerEnded(Exchange exchange)
    {
        var now = Time.GetTimestamp();
        var (limit, perSecond) = (_scanners[0].Cost, Whole(_scanners[2]));
        var told = SignalWindow.Of(Window.Content!.Name) with
        {
            Limit = limit,
            Remaining = Whole(_scanners[1]),
            PeriodTicks = limit > 0 && perSecond > 0 ? (long)Math.Min(RetryAfter.MaxWait.Ticks, (double)limit / perSecond * TimeSpan.TicksPerSecond) : SignalWindow.Unknown,
            Charged = _scanners.Length > 3 ? _scanners[3].Cost : 0,
            Unit = SignalUnit.Other,
            Refills = true,
        };
        if (told.IsUsable)
        {
            Window.Learn(in told, Taken, Sent, now);
        }
        else
        {
            Window.Answered(Taken, now);
        }

        Queue?.Wake(Key);
    }

    // Part of what is left is nothing that could be taken.
    private static long Whole(JsonCostScanner scanner) => scanner.Cost < 0 ? SignalWindow.Unknown : (long)decimal.Floor(scanner.Amount);
}
