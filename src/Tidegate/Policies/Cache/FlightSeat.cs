using Tidegate.Transport;

namespace Tidegate.Policies.Cache;

/// <summary>One exchange's interest in a flight. When the last one is given up, the flight is broken off.</summary>
internal sealed class FlightSeat(Flight flight)
{
    private int _isLeft;

    public Flight Flight { get; } = flight;

    /// <summary>Set when the flight's head has come, or the client has gone.</summary>
    public HomeSignal Signal { get; } = new();

    /// <summary>No longer interested. May be said twice.</summary>
    public void Leave()
    {
        if (Interlocked.Exchange(ref _isLeft, 1) == 0)
        {
            Flight.SeatLeft(this);
        }
    }
}
