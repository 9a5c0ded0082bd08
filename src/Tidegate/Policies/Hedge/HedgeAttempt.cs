using Tidegate.Exchanges;

namespace Tidegate.Policies.Hedge;

/// <summary>
/// One of several requests for the same call: an exchange of its own, so that what comes too late finds nothing of the client's. Used again and again, unless it was broken off.
/// </summary>
internal sealed class HedgeAttempt : IAnswerEnding
{
    private const int KeptPerThread = 64;

    [ThreadStatic]
    private static Stack<HedgeAttempt>? _free;

    private readonly CancellationTokenSource _broken = new();
    private CancellationTokenRegistration _clientLeft;
    private CancellationToken _clients;
    private bool _isDisposed;

    private HedgeAttempt() => Exchange = new Exchange { Connection = null!, Client = AbsentClient.Instance };

    public Exchange Exchange { get; }

    /// <summary>Its head has come, or never will. Guarded by the run.</summary>
    public bool IsOver { get; set; }

    /// <summary>Another was decided for before this one was over. Guarded by the run.</summary>
    public bool IsLate { get; set; }

    /// <summary>A fault of ours that ended it.</summary>
    public Exception? Bug { get; set; }

    /// <summary>One from this thread's stack, with the request of an exchange.</summary>
    /// <param name="exchange">Whose client leaves, when it leaves, both.</param>
    /// <param name="before">The last one that was sent for it, whose place is not asked again; null for the first.</param>
    public static HedgeAttempt Rent(Exchange exchange, HedgeAttempt? before)
    {
        var attempt = (_free ??= new Stack<HedgeAttempt>()).TryPop(out var free) ? free : new HedgeAttempt();
        attempt.Exchange.Connection = exchange.Connection;
        attempt.Exchange.CopyRequest(exchange, attempt._broken.Token);
        attempt.Exchange.CopyTried(before?.Exchange ?? exchange);
        attempt.Exchange.Timings.Received = exchange.Timings.Received;
        attempt.Exchange.AvoidsLastDestination = before is not null;
        attempt.Exchange.MustNotQueue = before is not null || exchange.MustNotQueue;
        attempt.Exchange.MayBeRepeated = exchange.MayBeRepeated;
        attempt._clients = exchange.Aborted;
        attempt._clientLeft = exchange.Aborted.UnsafeRegister(static attempt => ((HedgeAttempt)attempt!).Break(), attempt);
        return attempt;
    }

    /// <summary>Nobody wants it any more: what is under way is broken off, and its connection closed.</summary>
    public void Break() => _broken.Cancel();

    /// <summary>Its answer is the client's.</summary>
    public MessageBody TakeContent() => new HedgeContent(this, Exchange.ResponseBody, _clients, _broken.Token);

    /// <summary>Its answer is nobody's: thrown away, and its connection with it when there is more to come.</summary>
    public async ValueTask EndAsync()
    {
        try
        {
            await Exchange.ResponseBody.DisposeAsync();
            _isDisposed = true;
        }
        finally
        {
            // What limits hold for it comes back however its connection ended.
            Exchange.EndAnswer(downTo: 0);
            Return();
        }
    }

    /// <summary>Nothing reads its content any more.</summary>
    public void ContentDisposed() => _isDisposed = true;

    /// <summary>The client's exchange is over with it: what waits here for the end of the answer learns how it ended.</summary>
    void IAnswerEnding.AnswerEnded(Exchange exchange)
    {
        Exchange.ResponseBodyBytes = exchange.ResponseBodyBytes;
        if (exchange.Failure is { } failure)
        {
            Exchange.Fail(failure);
        }

        Exchange.EndAnswer(downTo: 0);
        exchange.UnreadCosts |= Exchange.UnreadCosts;
        Return();
    }

    private void Return()
    {
        // Whoever is breaking it right now, because the client is leaving or it has lost, must find nobody else's request here.
        var isWhole = _clientLeft.Unregister() || !_clients.CanBeCanceled;
        if (!isWhole || IsLate || !_isDisposed || _broken.IsCancellationRequested || Bug is not null || (_free ??= new Stack<HedgeAttempt>()).Count >= KeptPerThread)
        {
            return;
        }

        Exchange.Reset();
        Exchange.Connection = null!;
        Exchange.Aborted = default;
        _clientLeft = default;
        _clients = default;
        IsOver = false;
        _isDisposed = false;
        _free.Push(this);
    }
}
