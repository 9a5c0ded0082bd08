using Tidegate.Exchanges;

namespace Tidegate.Edge.Http1;

/// <summary>
/// What one HTTP/1.1 exchange is made of, lent while it lasts: an idle connection holds none of it, and a busy one allocates none. Given back only
/// after an exchange that ended as it should; whatever broke is left to the garbage collector, since somebody may still hold it.
/// </summary>
internal sealed class Http1Exchange
{
    // Enough for the exchanges in flight on one thread at any sensible load; about 3 KB each.
    private const int MaxFreePerThread = 256;

    [ThreadStatic]
    private static Stack<Http1Exchange>? _free;

    private Http1Exchange()
    {
        Writer = new Http1ResponseWriter();
        Body = new Http1RequestBody(Writer);
        Writer.Request = Body;
        Exchange = new Exchange { Connection = null!, Client = Writer };
    }

    public Exchange Exchange { get; }

    public Http1RequestBody Body { get; }

    public Http1ResponseWriter Writer { get; }

    public static Http1Exchange Rent() => _free?.TryPop(out var free) == true ? free : new Http1Exchange();

    public void Return()
    {
        _free ??= new Stack<Http1Exchange>();
        if (_free.Count < MaxFreePerThread)
        {
            Exchange.Reset();
            Exchange.Connection = null!;
            Exchange.Aborted = default;
            Body.Reset();
            Writer.Reset();
            _free.Push(this);
        }
    }
}
