using System.Globalization;

namespace Tidegate.Host.Demo;

/// <summary>How a number changes over the morning: straight lines between points.</summary>
internal sealed class Rhythm
{
    private readonly (TimeOnly At, double Value)[] _points;

    /// <param name="text">For example <c>07:00 2, 08:30 8, 12:00 4</c>.</param>
    public Rhythm(string text) =>
        _points = [.. text.Split(',', StringSplitOptions.TrimEntries).Select(point => (TimeOnly.Parse(point[..5], CultureInfo.InvariantCulture), double.Parse(point[6..], CultureInfo.InvariantCulture)))];

    public double this[TimeOnly clock]
    {
        get
        {
            var next = Array.FindIndex(_points, point => point.At > clock);
            if (next <= 0)
            {
                return next == 0 ? _points[0].Value : _points[^1].Value;
            }

            var (before, after) = (_points[next - 1], _points[next]);
            return before.Value + ((after.Value - before.Value) * ((clock - before.At) / (after.At - before.At)));
        }
    }
}
