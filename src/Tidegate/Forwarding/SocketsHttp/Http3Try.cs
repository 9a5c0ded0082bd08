using Tidegate.Exchanges;

namespace Tidegate.Forwarding.SocketsHttp;

/// <summary>
/// One request at one address. Either its head is written or it is given up, never both: what was given up is sent to another address, and must not be done twice.
/// </summary>
internal sealed class Http3Try(Attempt attempt, Http3Handler handler, TimeProvider time)
{
    public static readonly HttpRequestOptionsKey<Http3Try> Key = new("http3");

    private const int Waiting = 0;
    private const int Written = 1;
    private const int GivenUp = 2;

    private int _state;

    /// <summary>There was a connection, and the request's head was being written to it.</summary>
    public bool IsWritten => Volatile.Read(ref _state) == Written;

    /// <summary>When that began.</summary>
    public long WrittenAt { get; private set; }

    /// <summary>The connection is there: from now on the upstream is waited for. Called for each field.</summary>
    /// <exception cref="HttpRequestException">It was given up; the handler then closes the stream with nothing on it.</exception>
    public void Write()
    {
        switch (Interlocked.CompareExchange(ref _state, Written, Waiting))
        {
            case Waiting:
                WrittenAt = time.GetTimestamp();
                attempt.Ending = handler.Begin();
                attempt.Arm(FailureKind.ResponseHeadersTimeout, attempt.Timeouts.ResponseHeaders);
                break;
            case GivenUp:
                throw new HttpRequestException("Another address is being tried.");
            default:
                break;
        }
    }

    /// <summary>Nothing will be written any more; false when it is too late for that.</summary>
    public bool GiveUp() => Interlocked.CompareExchange(ref _state, GivenUp, Waiting) == Waiting;
}
