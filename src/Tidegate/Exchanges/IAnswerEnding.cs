namespace Tidegate.Exchanges;

/// <summary>Something that lasts as long as an answer does: a place in flight, a charge to be settled, a measurement.</summary>
public interface IAnswerEnding
{
    /// <summary>The answer was handed to the client, broke, or was thrown away for another attempt. Called once; must not throw or wait.</summary>
    void AnswerEnded(Exchange exchange);
}
