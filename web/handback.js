// The form of response_mode=form_post goes by itself. Without script its button does the same.
document.getElementById("handback").submit();
