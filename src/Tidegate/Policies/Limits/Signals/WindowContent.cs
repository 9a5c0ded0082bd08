using System.Text;
using Tidegate.Policies.Limits.Costs;

namespace Tidegate.Policies.Limits.Signals;

/// <summary>A window of which the content of answers tells, and the calls that are counted in it: a bucket that refills evenly, in points.</summary>
/// <param name="name">Of the window.</param>
/// <param name="path">What the paths of its calls end with.</param>
/// <param name="limit">Where the amount of the whole bucket stands.</param>
/// <param name="remaining">Where what is left stands.</param>
/// <param name="perSecond">Where what comes back each second stands.</param>
/// <param name="charged">Where stands what the call was charged before it was done; null where nothing says so.</param>
internal sealed class WindowContent(string name, string path, JsonPointer limit, JsonPointer remaining, JsonPointer perSecond, JsonPointer? charged)
{
    public ulong Name { get; } = SignalName.Of(Encoding.UTF8.GetBytes(name));

    public JsonPointer Limit => limit;

    public JsonPointer Remaining => remaining;

    public JsonPointer PerSecond => perSecond;

    public JsonPointer? Charged => charged;

    /// <summary>Whether a call to this path is counted in it.</summary>
    public bool IsFor(string target) => target.EndsWith(path, StringComparison.Ordinal);
}
